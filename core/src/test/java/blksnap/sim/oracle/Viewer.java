package blksnap.sim.oracle;

import blksnap.device.BlockDevice;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.sim.machine.SimScheduler;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotPart;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** A client of the images. */
final class Viewer {
  private static final int SECTOR = Stamps.SECTOR;

  private final Scene scene;

  Viewer(Scene scene) {
    this.scene = scene;
  }

  void view() throws IOException {
    List<SnapshotModel> taken =
        scene.snapshots.values().stream()
            .filter(s -> s.state == SnapshotModel.State.TAKEN)
            .toList();
    if (taken.isEmpty()) {
      SimScheduler.giveWay();
      return;
    }
    SnapshotModel model = scene.any(taken);
    Snapshot snapshot = scene.lookup(model);
    if (snapshot == null) {
      return;
    }
    String device = scene.any(model.devices);
    ImageModel image = model.images.get(device);
    if (image == null || !(snapshot.part(device).orElse(null) instanceof SnapshotPart.Taken part)) {
      return;
    }
    int first = scene.random.nextInt(image.take.sectors);
    int count = 1 + scene.random.nextInt(Math.min(64, image.take.sectors - first));
    if (scene.random.nextInt(4) == 0) {
      changeImage(model, part, image, first, count);
    } else {
      read(model, part, image, first, count);
    }
  }

  private void changeImage(
      SnapshotModel model, SnapshotPart.Taken part, ImageModel image, int first, int count) {
    boolean zeroes = scene.random.nextInt(4) == 0;
    long value = zeroes ? 0 : scene.nextStamp();
    boolean small = model.small;
    image.begin(first, count, value);
    Version done = image.take.disk.beginImageWrite(image.take, first, count);
    scene.tell(
        "write " + model.name + "@" + part.device() + " " + first + "+" + count + " = " + value);
    try {
      long offset = (long) first * SECTOR;
      if (zeroes) {
        part.image().writeZeroes(offset, (long) count * SECTOR, false);
      } else {
        part.image().write(offset, Stamps.filled(value, count));
      }
      image.end(first, count, value);
    } catch (IOException e) {
      if (!(small && e instanceof BlkSnapException b && b.errno() == Errno.ENOSPC)) {
        scene.mayFail(model, e);
      }
      image.failed(first, count);
    }
    image.take.disk.endImageWrite(done, first, count);
  }

  /** Reads a part of an image, and compares. */
  void read(SnapshotModel model, SnapshotPart.Taken part, ImageModel image, int first, int count)
      throws IOException {
    ByteBuffer buffer = ByteBuffer.allocateDirect(count * SECTOR);
    BlockDevice device = part.image();
    try {
      device.read((long) first * SECTOR, buffer);
    } catch (IOException e) {
      scene.mayFail(model, e);
      return;
    }
    buffer.flip();
    String what = "image " + model.name + "@" + part.device();
    boolean unreliable = image.take.disk.isUnreliable() || model.forgotten;
    for (int i = 0; i < count && !unreliable; i++) {
      image.shows(first + i, Stamps.read(buffer, i, what), what);
    }
  }
}
