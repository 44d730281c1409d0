package blksnap.sim.oracle;

import blksnap.diffstorage.Location;
import blksnap.snapshot.Snapshot;
import java.io.IOException;
import java.util.List;

/** Somebody who helps writers that wait for room in diff storage. */
final class Keeper {
  private static final int LOOK_MILLIS = 90;

  /** How often it helps, at most, while somebody waits. */
  private static final int MOST_HELPS = 1_000;

  private final Scene scene;
  private final Operator operator;

  Keeper(Scene scene, Operator operator) {
    this.scene = scene;
    this.operator = operator;
  }

  /** Returns when nobody can come to wait any more. */
  void keep() {
    int helps = 0;
    while (scene.working > 0) {
      scene.sleep(LOOK_MILLIS);
      if (scene.waiting > 0 && scene.random.nextInt(3) == 0) {
        if (++helps > MOST_HELPS) {
          throw new Violation("writers wait for ever" + scene.log());
        }
        help();
      }
    }
  }

  private void help() {
    List<SnapshotModel> candidates =
        scene.snapshots.values().stream()
            .filter(s -> !s.busy && s.state == SnapshotModel.State.TAKEN)
            .toList();
    if (candidates.isEmpty()) {
      return;
    }
    SnapshotModel model = scene.any(candidates);
    Snapshot snapshot = scene.lookup(model);
    model.busy = true;
    if (snapshot == null || scene.random.nextInt(4) == 0) {
      operator.destroy(model);
    } else {
      append(model, snapshot);
    }
    model.busy = false;
  }

  private void append(SnapshotModel model, Snapshot snapshot) {
    boolean plenty = scene.random.nextBoolean();
    String path = "/more/" + scene.nextName();
    scene.machine.makeFile(
        path,
        plenty
            ? Operator.MORE_BYTES
            : (long) Location.BLOCK_BYTES * (2 + scene.random.nextInt(12)));
    try {
      scene.engine().snapshots.appendStorage(snapshot, scene.machine.path(path), List.of());
      model.small &= !plenty;
      scene.tell("appended to " + model.name + (plenty ? " plenty" : " a little"));
    } catch (IOException e) {
      scene.excuse("append to " + model.name, e);
    }
  }
}
