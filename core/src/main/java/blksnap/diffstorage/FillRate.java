package blksnap.diffstorage;

import java.util.Arrays;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;

/**
 * How fast a storage fills: bytes taken in the last {@value #WINDOW_SECONDS} seconds, in slots of
 * {@value #SLOT_SECONDS}. Used under the storage's lock.
 */
final class FillRate {
  /** Long enough to even out what a guest's cache gathers, short enough to follow a change. */
  static final int WINDOW_SECONDS = 300;

  static final int SLOT_SECONDS = 10;

  private static final int SLOTS = WINDOW_SECONDS / SLOT_SECONDS;
  private static final long SLOT_NANOS = TimeUnit.SECONDS.toNanos(SLOT_SECONDS);

  private final long[] bytes = new long[SLOTS];

  /** Since when it is measured: the beginning of the window, or the first bytes in it. */
  private long sinceNanos;

  /** Beginning of the slot that is being filled. */
  private long slotNanos;

  private int slot;
  private boolean begun;

  /** Counts bytes that were taken now. */
  void add(long count, long nowNanos) {
    moveTo(nowNanos);
    if (!begun) {
      begun = true;
      sinceNanos = nowNanos;
      slotNanos = nowNanos;
    }
    bytes[slot] += count;
  }

  private void moveTo(long nowNanos) {
    long slots = begun ? (nowNanos - slotNanos) / SLOT_NANOS : 0;
    if (slots >= SLOTS) {
      Arrays.fill(bytes, 0);
      begun = false; // nothing for a whole window: the next bytes begin a new measurement
      return;
    }
    for (long i = 0; i < slots; i++) {
      slot = (slot + 1) % SLOTS;
      bytes[slot] = 0;
      slotNanos += SLOT_NANOS;
    }
    if (sinceNanos - (slotNanos - (SLOTS - 1) * SLOT_NANOS) < 0) {
      sinceNanos = slotNanos - (SLOTS - 1) * SLOT_NANOS;
    }
  }

  /**
   * Seconds until {@code free} bytes are taken too; empty while nothing is taken, or before one
   * slot of time was watched.
   */
  OptionalLong secondsUntil(long free, long nowNanos) {
    moveTo(nowNanos);
    long taken = Arrays.stream(bytes).sum();
    long elapsed = nowNanos - sinceNanos;
    if (!begun || taken == 0 || elapsed < SLOT_NANOS) {
      return OptionalLong.empty();
    }
    double bytesPerSecond = taken / (elapsed / 1e9);
    return OptionalLong.of((long) (free / bytesPerSecond));
  }
}
