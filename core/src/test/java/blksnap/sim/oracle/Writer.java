package blksnap.sim.oracle;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.sim.machine.SimScheduler;
import blksnap.tracker.TrackedDevice;
import java.io.IOException;
import java.util.List;

/** A client of the disks. */
final class Writer {
  /** Writers take turns at lots of so many sectors, so that no two write one sector. */
  private static final int LOT_SECTORS = 32;

  static final int WRITERS = 2;

  private static final int SECTOR = Stamps.SECTOR;

  private final Scene scene;
  private final int number;

  Writer(Scene scene, int number) {
    this.scene = scene;
    this.number = number;
  }

  void change() throws IOException {
    DiskModel disk = scene.any(List.copyOf(scene.disks.values()));
    if (disk.away) {
      SimScheduler.giveWay();
      return;
    }
    disk.requests++;
    change(disk, scene.device(disk));
    disk.requests--;
  }

  private void change(DiskModel disk, TrackedDevice device) throws IOException {
    int dice = scene.random.nextInt(10);
    if (dice == 0) {
      flush(disk, device);
      return;
    }
    int lots = (disk.sectors + LOT_SECTORS - 1) / LOT_SECTORS;
    int lot = scene.random.nextInt((lots + WRITERS - 1) / WRITERS) * WRITERS + number;
    if (lot >= lots) {
      return;
    }
    int lotSectors = Math.min(LOT_SECTORS, disk.sectors - lot * LOT_SECTORS);
    int first = scene.random.nextInt(lotSectors);
    int count = 1 + scene.random.nextInt(lotSectors - first);
    if (scene.random.nextBoolean()) { // whole blocks
      first = first / 8 * 8;
      count = Math.min(lotSectors - first, (count + 7) / 8 * 8);
    }
    first += lot * LOT_SECTORS;
    boolean zeroes = dice == 1 || dice == 2;
    long value = zeroes ? 0 : scene.nextStamp();
    long offset = (long) first * SECTOR;
    long length = (long) count * SECTOR;
    long faultsBefore = scene.faults.onDisk();
    int resizesBefore = disk.resizes;
    int changesBefore = disk.resizes + disk.detaches;
    scene.tell("write " + disk.name + " " + first + "+" + count + " = " + value);
    Version version = disk.begin(first, count, value);
    try {
      if (dice == 1) {
        device.discard(offset, length);
      } else if (zeroes) {
        device.writeZeroes(offset, length, scene.random.nextBoolean());
      } else {
        device.write(offset, Stamps.filled(value, count));
      }
      if (disk.resizes > resizesBefore) {
        disk.landed(version, first, scene.raw(disk, first, count));
      }
      disk.end(version, first, count);
    } catch (IOException e) {
      scene.tell("write " + disk.name + " " + first + "+" + count + " failed: " + e.getMessage());
      boolean gone = disk.resizes + disk.detaches > changesBefore || disk.isResizing() || disk.away;
      if (scene.faults.onDisk() == faultsBefore && !(gone && isGone(e))) {
        throw new Violation("a write failed, and not by its disk", e);
      }
      disk.failed(version, first, scene.raw(disk, first, count));
    }
    if (dice == 3 && !disk.away) {
      flush(disk, device); // forced unit access
    }
  }

  /** What a client is told whose device was detached, or has a nearer end. */
  private static boolean isGone(IOException e) {
    return e instanceof BlkSnapException b
        && (b.errno() == Errno.ESHUTDOWN || b.errno() == Errno.ENOSPC);
  }

  private void flush(DiskModel disk, TrackedDevice device) {
    long start = scene.clock.tick();
    try {
      device.flush();
      scene.tell("flushed " + disk.name);
      disk.flushed(start, scene.faults.syncsOfDisk());
    } catch (IOException e) {
      if (scene.faults.onDisk() == 0 && !(disk.away && isGone(e))) {
        throw new Violation("a flush failed, and not by its disk", e);
      }
    }
  }
}
