package blksnap.tracker;

import blksnap.cbt.WriteStamps.LastWrites;
import blksnap.linux.DiskFacts;
import blksnap.tracker.DeviceRecord.Stamps;
import java.util.UUID;

/**
 * Whether the change map of a device still tells the truth when the device is opened again. In
 * doubt it does not. The rules and what they cannot see: decision 0009.
 */
sealed interface Continuity {
  /** Nothing was written that the map does not show. */
  record Exact() implements Continuity {}

  /** The machine went down: regions that were open for writing count as changed. */
  record AfterPowerLoss() implements Continuity {}

  /** The map is worthless; {@code reason} completes "a new generation, since". */
  record Broken(String reason) implements Continuity {}

  /**
   * How much later than it began a write that was on its way at a kill may have stamped the file.
   */
  long SLACK_MILLIS = 2_000;

  /**
   * The machine as it is now.
   *
   * @param bootMillis when it was started, milliseconds since 1970
   */
  record Machine(UUID bootId, long bootMillis) {}

  /**
   * What the files of the map tell.
   *
   * @param leaseMillis until when the device may have been written, milliseconds since 1970
   */
  record Left(LastWrites writes, long leaseMillis) {}

  long NANOS_PER_MILLI = 1_000_000;
  long SECTOR_BYTES = 512;

  /**
   * Judges.
   *
   * @param then what was remembered
   * @param now what the file or device shows
   */
  static Continuity judge(DeviceRecord then, Stamps now, Machine machine, Left left) {
    Stamps before = then.stamps();
    boolean restarted = !then.bootId().equals(machine.bootId);
    if (before.sizeBytes() != now.sizeBytes()) {
      return new Broken("its size was " + before.sizeBytes() + " bytes and is " + now.sizeBytes());
    }
    if (!before.sameFile(now, restarted)) {
      return new Broken("it is another file or device");
    }
    if (then.mapLost()) {
      return new Broken("a change could not be noted in its map");
    }
    if (now.isBlockDevice()) {
      return restarted
          ? diskAfterRestart(then.clean(), now.disk())
          : diskOfThisBoot(then.clean(), before.disk(), now.disk(), left.writes);
    }
    if (then.clean()) {
      return unchanged(before, now.modifiedNanos(), now.changedNanos())
          ? new Exact()
          : new Broken("it was written while it was not attached");
    }
    if (now.modifiedNanos() < before.modifiedNanos()) {
      return new Broken("it is older than it was");
    }
    return restarted
        ? fileAfterPowerLoss(before, now, machine.bootMillis, left.leaseMillis)
        : fileAfterKill(before, now, left.writes);
  }

  private static boolean unchanged(Stamps stamps, long modifiedNanos, long changedNanos) {
    return stamps.modifiedNanos() == modifiedNanos && stamps.changedNanos() == changedNanos;
  }

  private static Continuity fileAfterKill(Stamps before, Stamps now, LastWrites writes) {
    boolean ours;
    if (unchanged(now, before.modifiedNanos(), before.changedNanos())) {
      ours = true;
    } else if (!writes.inFlight() && writes.writtenBytes() == 0) {
      ours =
          writes
              .observation()
              .filter(seen -> unchanged(now, seen.modifiedNanos(), seen.changedNanos()))
              .isPresent();
    } else {
      long latest =
          writes.inFlight()
              ? Math.max(writes.begunMillis(), writes.endedMillis()) + SLACK_MILLIS
              : writes.endedMillis();
      ours = latestMillis(now) <= latest;
    }
    return ours ? new Exact() : new Broken("it was written after the engine had died");
  }

  private static Continuity fileAfterPowerLoss(
      Stamps before, Stamps now, long bootMillis, long leaseMillis) {
    boolean ours =
        unchanged(now, before.modifiedNanos(), before.changedNanos())
            || latestMillis(now) <= Math.min(bootMillis, leaseMillis);
    return ours
        ? new AfterPowerLoss()
        : new Broken("it was written after the machine had gone down");
  }

  private static long latestMillis(Stamps stamps) {
    return Math.max(stamps.modifiedNanos(), stamps.changedNanos()) / NANOS_PER_MILLI;
  }

  private static Continuity diskOfThisBoot(
      boolean clean, DiskFacts before, DiskFacts now, LastWrites writes) {
    if (clean) {
      if (before.sectorsWritten() < 0 || now.sectorsWritten() < 0) {
        return new Broken("the kernel does not tell whether it was written in the meantime");
      }
      return before.sectorsWritten() == now.sectorsWritten()
          ? new Exact()
          : new Broken("it was written while it was not attached");
    }
    // Until the first observation, what was counted at the attach, when all was synced.
    boolean ours =
        writes
            .observation()
            .filter(seen -> seen.deviceSectors() >= 0)
            .map(seen ->
                explained(seen.deviceSectors(), seen.unflushedBytes() + writes.writtenBytes(), now))
            .orElseGet(() -> explained(before.sectorsWritten(), writes.writtenBytes(), now));
    return ours ? new Exact() : new Broken("it was written after the engine had died");
  }

  /**
   * Whether what reached the device since is no more than what we had written. Where nothing is
   * counted, nothing speaks against it.
   */
  private static boolean explained(long sectorsThen, long mostBytes, DiskFacts now) {
    if (sectorsThen < 0 || now.sectorsWritten() < 0) {
      return true;
    }
    long reached = (now.sectorsWritten() - sectorsThen) * SECTOR_BYTES;
    return reached >= 0 && reached <= mostBytes;
  }

  private static Continuity diskAfterRestart(boolean clean, DiskFacts now) {
    if (now.sectorsWritten() > 0) {
      return new Broken("it was written since the machine was started");
    }
    if (!clean) {
      return new AfterPowerLoss();
    }
    return now.indirect() || now.sectorsWritten() < 0
        ? new Broken("nothing tells whether it was written in the meantime")
        : new Exact();
  }
}
