package blksnap.sim.oracle;

import blksnap.sim.machine.SimMachine;

/** Somebody who changes a disk while nobody tracks it. */
final class Others {
  private static final int MOST_SECTORS = 40;

  /** After the lease: a change before its end is taken for ours if power is lost as well. */
  private static final long LATER_MILLIS = 31_000;

  private final Scene scene;

  Others(Scene scene) {
    this.scene = scene;
  }

  /**
   * Changes it.
   *
   * @param clean whether the engine closed it in order: then it knows a part of its content
   */
  void change(DiskModel disk, boolean clean) {
    SimMachine machine = scene.machine;
    String path = Scene.path(disk.name);
    long modified = machine.modifiedNanos(path);
    long changed = machine.changedNanos(path);
    if (!clean) {
      machine.advanceMillis(LATER_MILLIS);
    }
    disk.restart = "others changed it";
    if (machine.isDisk(path)) {
      write(disk);
      return;
    }
    switch (scene.random.nextInt(clean ? 6 : 5)) {
      case 0 -> write(disk);
      case 1 -> {
        write(disk);
        machine.modifiedNanos(path, modified);
      }
      case 2 -> {
        machine.replace(path);
        write(disk);
        machine.modifiedNanos(path, modified);
      }
      case 3 -> resize(disk, Math.min(disk.capacity, disk.sectors + 1 + scene.random.nextInt(30)));
      case 4 -> resize(disk, Math.max(1, disk.sectors - 1 - scene.random.nextInt(30)));
      default -> { // within one tick of a coarse clock
        write(disk);
        machine.modifiedNanos(path, modified);
        machine.changedNanos(path, changed);
      }
    }
  }

  private void write(DiskModel disk) {
    int first = scene.random.nextInt(disk.sectors);
    int count = 1 + scene.random.nextInt(Math.min(MOST_SECTORS, disk.sectors - first));
    long value = scene.nextStamp();
    byte[] bytes = new byte[count * Stamps.SECTOR];
    Stamps.filled(value, count).get(bytes);
    scene.tell("others write " + disk.name + " " + first + "+" + count + " = " + value);
    String path = Scene.path(disk.name);
    if (scene.machine.isDisk(path)) {
      scene.machine.writeThrough(path, (long) first * Stamps.SECTOR, bytes);
    } else {
      scene.machine.write(path, (long) first * Stamps.SECTOR, bytes);
    }
    disk.othersWrote(first, count, value);
  }

  private void resize(DiskModel disk, int sectors) {
    if (sectors != disk.sectors) {
      scene.tell("others resize " + disk.name + " from " + disk.sectors + " to " + sectors);
      scene.machine.resize(Scene.path(disk.name), (long) sectors * Stamps.SECTOR);
      disk.othersResized(sectors);
    }
  }
}
