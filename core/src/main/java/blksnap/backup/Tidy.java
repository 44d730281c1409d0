package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.qcow2.ByteFile;
import blksnap.qcow2.Qcow2File;
import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Puts in order what a process that was killed has left of a device's backups. The device is
 * locked.
 */
final class Tidy {
  private final BackupStore store;
  private final String device;

  Tidy(BackupStore store, String device) {
    this.store = store;
    this.device = device;
  }

  /** Finishes what was begun, and removes what belongs to no point. */
  DevicePoints run() throws IOException {
    store.removeDrafts(device);
    DevicePoints points = DevicePoints.load(store, device);
    boolean changed = false;
    for (Manifest point : points.all()) {
      if (point.files().size() > 1) {
        settle(point);
        changed = true;
      }
    }
    if (changed) {
      points = DevicePoints.load(store, device);
    }
    removeRubbish(points);
    return points;
  }

  /** A merge was cut off: the data file says which of the two it is. */
  private void settle(Manifest point) throws IOException {
    Optional<Manifest.DataFile> present;
    try (ByteFile bytes = store.open(device, point.dataFile());
        Qcow2File file = Qcow2File.open(bytes)) {
      present = DevicePoints.fileOf(point, file.header().id());
    } catch (BlkSnapException _) {
      return; // damaged: whoever reads the point is told
    }
    if (present.isPresent()) {
      Manifest settled = point.withFiles(List.of(present.get()));
      store.write(device, point.name() + PointNames.MANIFEST, settled.encode());
    }
  }

  /**
   * Of a point whose manifest cannot be read nothing is touched, and the data file that another
   * point leans on stays though its own manifest is lost.
   */
  private void removeRubbish(DevicePoints points) throws IOException {
    Set<String> wanted = new HashSet<>();
    for (Manifest point : points.all()) {
      wanted.add(point.name() + PointNames.MANIFEST);
      wanted.add(point.name() + PointNames.VERIFIED);
      wanted.add(point.dataFile());
      for (Manifest.DataFile file : point.files()) {
        wanted.add(PointNames.hashes(point.name(), file.id()));
        file.parent().ifPresent(parent -> wanted.add(parent + PointNames.QCOW2));
      }
    }
    for (String file : store.files(device)) {
      Optional<String> point = PointNames.pointOf(file);
      if (point.isPresent()
          && !wanted.contains(file)
          && !points.damaged().containsKey(point.get())) {
        store.delete(device, file);
      }
    }
  }
}
