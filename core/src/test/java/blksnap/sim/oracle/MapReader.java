package blksnap.sim.oracle;

import blksnap.cbt.ChangedRanges;
import blksnap.cbt.IntervalNumbers;
import blksnap.error.BlkSnapException;
import blksnap.sector.ByteRange;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotPart;
import blksnap.tracker.TrackedDevice;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** Asks which blocks changed, and compares. */
final class MapReader {
  private final Scene scene;

  MapReader(Scene scene) {
    this.scene = scene;
  }

  /** Asks for the map frozen with a snapshot. */
  void read(SnapshotModel model) {
    Snapshot snapshot = scene.lookup(model);
    if (snapshot == null) {
      return;
    }
    for (Map.Entry<String, ImageModel> entry : model.images.entrySet()) {
      TakeModel until = entry.getValue().take;
      if (!(snapshot.part(entry.getKey()).orElseThrow() instanceof SnapshotPart.Taken taken)) {
        continue;
      }
      IntervalNumbers numbers = taken.frozen().numbers();
      for (TakeModel from : List.copyOf(scene.takes)) { // more are made meanwhile
        if (from.disk == until.disk
            && !from.disk.isUnreliable()
            && !from.disk.marksLost
            && numbers.untilGeneration().equals(from.generation)
            && from.number < numbers.untilNumber()) {
          List<ByteRange> ranges;
          try {
            ranges = taken.frozen().changedSince(from.number, 0, 1000).ranges();
          } catch (IOException e) {
            scene.mayFail(model, e);
            continue;
          }
          String what = "map of " + model.name + " on " + from.disk.name;
          until.changedBetween(from, ranges, scene.faults.injected() == 0, what);
        }
      }
    }
  }

  void check(DiskModel disk) throws IOException {
    TrackedDevice device = scene.device(disk);
    UUID generation;
    try {
      generation = device.readMap(map -> map.generation());
    } catch (BlkSnapException e) {
      if (scene.faults.injected() == 0) {
        throw e;
      }
      return;
    }
    for (TakeModel take : scene.takes) {
      if (take.disk == disk
          && !disk.isUnreliable()
          && !disk.marksLost
          && generation.equals(take.generation)) {
        ChangedRanges page = device.readMap(map -> map.changedSince(take.number, 0, 1000));
        take.changedSince(page.ranges(), scene.faults.injected() == 0, "map of " + disk.name);
      }
    }
  }
}
