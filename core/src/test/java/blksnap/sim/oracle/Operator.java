package blksnap.sim.oracle;

import blksnap.cbt.CbtMap;
import blksnap.diffarea.FullPolicy;
import blksnap.diffstorage.Location;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.snapshot.Durability;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotConfig;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.OptionalLong;

/** Makes, takes and destroys snapshots. */
final class Operator {
  /** Takes whose numbers are used and that nobody has heard of: under way, or undone at a kill. */
  private static final int MOST_UNKNOWN_TAKES = 8;

  /** More than all blocks of all disks, written to several times. */
  static final long MORE_BYTES = 16 << 20;

  private final Scene scene;
  private final DiskOperator disks;

  Operator(Scene scene) {
    this.scene = scene;
    this.disks = new DiskOperator(scene);
  }

  void operate() throws IOException {
    List<SnapshotModel> idle = scene.snapshots.values().stream().filter(s -> !s.busy).toList();
    int dice = scene.random.nextInt(12);
    if (dice >= 10) {
      DiskModel disk = scene.any(List.copyOf(scene.disks.values()));
      if (!disk.busy) {
        disk.busy = true;
        if (dice == 10) {
          disks.resize(disk);
        } else {
          disks.attachAnew(disk);
        }
        disk.busy = false;
      }
      return;
    }
    if (idle.isEmpty() || (dice < 4 && scene.snapshots.size() < 5)) {
      create();
      return;
    }
    SnapshotModel snapshot = scene.any(idle);
    snapshot.busy = true;
    if (snapshot.state == SnapshotModel.State.CREATED
        && (!snapshot.small || snapshot.waits)
        && dice < 9) {
      take(snapshot);
    } else if (snapshot.state == SnapshotModel.State.TAKEN && dice < 5) {
      new MapReader(scene).read(snapshot);
    } else {
      destroy(snapshot);
    }
    snapshot.busy = false;
  }

  private void create() {
    List<String> devices = new ArrayList<>(scene.disks.keySet());
    if (devices.size() > 1 && scene.random.nextBoolean()) {
      devices.remove(scene.random.nextInt(devices.size()));
    }
    int dice = scene.random.nextInt(10);
    Durability durability =
        dice < 1 ? Durability.NONE : dice < 5 ? Durability.PROCESS : Durability.POWER;
    var snapshot = new SnapshotModel(scene.nextName(), List.copyOf(devices), durability);
    snapshot.busy = true;
    scene.snapshots.put(snapshot.name, snapshot);
    OptionalLong limit =
        scene.weather == Weather.TIGHT
            ? OptionalLong.of((long) Location.BLOCK_BYTES * (8 + scene.random.nextInt(24)))
            : OptionalLong.empty();
    if (scene.weather != Weather.FAIR) {
      snapshot.mayBreak = true;
    }
    snapshot.waits = scene.random.nextInt(3) == 0;
    boolean append = scene.weather == Weather.FAIR && scene.random.nextInt(4) == 0;
    if (append || (snapshot.waits && scene.random.nextBoolean())) {
      limit = OptionalLong.of((long) Location.BLOCK_BYTES * 8);
      snapshot.small = true;
    }
    FullPolicy policy =
        snapshot.waits ? new FullPolicy(true, OptionalLong.empty()) : FullPolicy.BREAK;
    int detaches = scene.detaches();
    scene.tell("create " + snapshot.name + " of " + devices + ", " + durability);
    try {
      Snapshot created =
          scene
              .engine()
              .snapshots
              .create(
                  devices,
                  scene.machine.path("/storage/" + snapshot.name + ".diff"),
                  limit,
                  new SnapshotConfig(snapshot.name, durability, policy));
      snapshot.state = SnapshotModel.State.CREATED;
      scene.tell("created " + snapshot.name);
      if (append) {
        String more = "/more/" + snapshot.name;
        scene.machine.makeFile(more, MORE_BYTES);
        scene.engine().snapshots.appendStorage(created, scene.machine.path(more), List.of());
        snapshot.small = false;
        scene.tell("appended to " + snapshot.name);
      }
    } catch (IOException e) {
      boolean away =
          scene.detaches() > detaches || scene.disks.values().stream().anyMatch(d -> d.away);
      if (!(away && e instanceof BlkSnapException b && b.errno() == Errno.ENODEV)) {
        scene.excuse("create of " + snapshot.name, e);
      }
      snapshot.state = SnapshotModel.State.DESTROYING;
    }
    snapshot.busy = false;
  }

  private void take(SnapshotModel model) {
    Snapshot snapshot = scene.lookup(model);
    if (snapshot == null) {
      throw new Violation("snapshot " + model.name + " is gone");
    }
    int resizes = scene.resizes();
    beginTake(model);
    scene.tell("take " + model.name);
    try {
      scene.engine().snapshots.take(snapshot);
    } catch (IOException e) {
      boolean resized =
          scene.resizes() > resizes
              || scene.disks.values().stream().anyMatch(DiskModel::isResizing);
      if (!(resized && e instanceof BlkSnapException b && b.errno() == Errno.EAGAIN)) {
        scene.excuse("take of " + model.name, e);
      }
      boolean taken = snapshot.view().state() == Snapshot.State.TAKEN;
      if (!taken) {
        model
            .images
            .values()
            .forEach(image -> {
              image.take.end(scene.clock);
              scene.takes.remove(image.take);
            });
        model.images.clear();
        model.state = SnapshotModel.State.CREATED;
        return;
      }
    }
    scene.tell("taken " + model.name);
    model.state = SnapshotModel.State.TAKEN;
    scene.number(model, snapshot);
    for (ImageModel image : model.images.values()) {
      if (!image.take.disk.hadSectors(image.take.start, image.take.sectors)) {
        throw new Violation(model.name + " shows " + image.take.sectors + " sectors");
      }
      image.take.end(scene.clock);
    }
  }

  private void beginTake(SnapshotModel model) {
    model.state = SnapshotModel.State.TAKING;
    for (String device : model.devices) {
      DiskModel disk = Objects.requireNonNull(scene.disks.get(device));
      var take = new TakeModel(disk, scene.clock);
      if (disk.lastNumber >= CbtMap.MAX_NUMBER - MOST_UNKNOWN_TAKES) {
        disk.restart = "its numbers are over";
      }
      scene.takes.add(take);
      model.images.put(device, new ImageModel(take));
    }
  }

  void destroy(SnapshotModel model) {
    Snapshot snapshot = scene.lookup(model);
    model.state = SnapshotModel.State.DESTROYING;
    scene.tell("destroy " + model.name);
    if (snapshot == null) {
      scene.snapshots.remove(model.name);
      return;
    }
    try {
      scene.engine().snapshots.destroy(snapshot);
      scene.tell("destroyed " + model.name);
      scene.snapshots.remove(model.name);
    } catch (IOException e) {
      scene.excuse("destroy of " + model.name, e);
    }
  }
}
