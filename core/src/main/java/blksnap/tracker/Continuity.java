package blksnap.tracker;

import blksnap.tracker.DeviceRecord.Stamps;
import java.util.UUID;

/** Whether the change map of a device still tells the truth when the device is opened again. */
sealed interface Continuity {
  /** Nothing was written that the map does not show. */
  record Exact() implements Continuity {}

  /** The machine went down: regions that were open for writing count as changed. */
  record AfterPowerLoss() implements Continuity {}

  /** The map is worthless; {@code reason} completes "a new generation, since". */
  record Broken(String reason) implements Continuity {}

  /**
   * How far the file's time of change may be after the last mark: a write stamps the file some time
   * after it.
   */
  long SLACK_MILLIS = 5_000;

  /**
   * Judges.
   *
   * @param then what was remembered
   * @param now what the file or device shows
   * @param bootId of the machine now
   * @param bootMillis when the machine was booted, milliseconds since 1970
   * @param lastMarkMillis when the map was last marked
   */
  static Continuity judge(
      DeviceRecord then, Stamps now, UUID bootId, long bootMillis, long lastMarkMillis) {
    Stamps before = then.stamps();
    if (!before.sameFile(now)) {
      return before.sizeBytes() == now.sizeBytes()
          ? new Broken("it is another file or device")
          : new Broken("its size was " + before.sizeBytes() + " bytes and is " + now.sizeBytes());
    }
    if (then.clean()) {
      if (now.isBlockDevice()) {
        return new Broken("a block device does not tell whether it was written in the meantime");
      }
      boolean untouched =
          before.modifiedNanos() == now.modifiedNanos()
              && before.changedNanos() == now.changedNanos();
      return untouched ? new Exact() : new Broken("it was written while it was not attached");
    }
    long modifiedMillis = now.modifiedNanos() / 1_000_000;
    if (then.bootId().equals(bootId)) {
      boolean ours =
          now.isBlockDevice()
              || modifiedMillis
                  <= Math.max(lastMarkMillis, before.modifiedNanos() / 1_000_000) + SLACK_MILLIS;
      return ours ? new Exact() : new Broken("it was written after the engine had died");
    }
    if (now.isBlockDevice() || modifiedMillis <= bootMillis) {
      return new AfterPowerLoss();
    }
    return new Broken("it was written after the machine had gone down");
  }
}
