package blksnap.sim.oracle;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.tracker.TrackerTable;
import java.io.IOException;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** Resizes disks, detaches them and attaches them again. */
final class DiskOperator {
  private static final int LEAST_SECTORS = 8;
  private static final int MOST_GROWN_SECTORS = 60;

  private final Scene scene;

  DiskOperator(Scene scene) {
    this.scene = scene;
  }

  /** Makes it longer or shorter. */
  void resize(DiskModel disk) throws IOException {
    if (disk.away || scene.machine.isDisk(Scene.path(disk.name))) {
      return;
    }
    int old = disk.sectors;
    int to =
        scene.random.nextBoolean()
            ? Math.min(disk.capacity, old + 1 + scene.random.nextInt(MOST_GROWN_SECTORS))
            : Math.max(LEAST_SECTORS, old - 1 - scene.random.nextInt(Math.max(1, old / 2)));
    if (to == old) {
      return;
    }
    long start = scene.clock.tick();
    scene.tell("resize " + disk.name + " from " + old + " to " + to);
    disk.beginResize(to);
    try {
      scene.engine().trackers.resize(disk.name, OptionalLong.of((long) to * Stamps.SECTOR), true);
      disk.endResize();
      disk.resizeFlushed(start, scene.faults.syncsOfDisk());
      scene.tell("resized " + disk.name);
    } catch (IOException e) {
      scene.excuse("resize of " + disk.name, e);
      disk.resizeFailed(scene.rawSectors(disk));
      disk.restart = "its resize failed";
      return;
    }
    @Nullable UUID before = disk.generation;
    disk.generation = generation(disk);
    if (to > old && disk.restart.isEmpty()) {
      requireSame(disk, before, "after it grew");
    }
  }

  private @Nullable UUID generation(DiskModel disk) {
    try {
      return scene.generation(disk);
    } catch (BlkSnapException e) {
      scene.excuse("map of " + disk.name, e);
      return null;
    }
  }

  private void requireSame(DiskModel disk, @Nullable UUID before, String when) {
    if (before != null && !before.equals(disk.generation) && scene.faults.injected() == 0) {
      throw new Violation("disk " + disk.name + " has a new generation " + when + scene.log());
    }
  }

  /** Detaches it if it is attached, lets others change it at times, and attaches it. */
  void attachAnew(DiskModel disk) throws IOException {
    if (!disk.away && !detach(disk)) {
      return;
    }
    while (disk.requests > 0) {
      scene.sleep(1);
    }
    boolean clean = scene.faults.injected() == 0;
    boolean seen =
        clean || !scene.machine.isDisk(Scene.path(disk.name)); // though power be cut next
    if (seen && scene.random.nextInt(2) == 0) {
      new Others(scene).change(disk, clean);
    }
    TrackerTable trackers = scene.engine().trackers;
    try {
      trackers.attach(
          scene.machine.path(Scene.path(disk.name)), Optional.of(disk.name), false, false);
    } catch (IOException e) {
      scene.excuse("attach of " + disk.name, e);
      return; // the next one tries again
    }
    scene.tell("attached " + disk.name);
    disk.away = false;
    @Nullable UUID before = disk.generation;
    disk.generation = generation(disk);
    if (disk.restart.isEmpty()) {
      requireSame(disk, before, "though nobody changed it");
    }
    disk.restart = "";
  }

  private boolean detach(DiskModel disk) {
    long start = scene.clock.tick();
    disk.away = true;
    disk.detaches++;
    scene.tell("detach " + disk.name);
    try {
      disk.generation = generation(disk);
      TrackerTable trackers = scene.engine().trackers;
      scene.engine().snapshots.whileNotHeld(disk.name, () -> trackers.detach(disk.name));
    } catch (IOException e) {
      disk.away = scene.engine().trackers.lookup(disk.name).isEmpty();
      boolean held =
          e instanceof BlkSnapException b
              && b.errno() == Errno.EBUSY
              && scene.snapshots.values().stream().anyMatch(s -> s.devices.contains(disk.name));
      if (!held) {
        scene.excuse("detach of " + disk.name, e);
      }
      return false;
    }
    scene.tell("detached " + disk.name);
    disk.flushed(start, scene.faults.syncsOfDisk());
    return true;
  }
}
