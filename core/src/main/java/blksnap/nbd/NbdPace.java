package blksnap.nbd;

import java.util.concurrent.atomic.AtomicLong;

/**
 * How long the device has lately taken for small requests of one connection: whether waking another
 * thread to read meanwhile is worth it. Safe from many threads; a lost update does no harm.
 */
final class NbdPace {
  /** Below this a second thread gains nothing: about what a wake-up and a reply cost. */
  private static final long FAST_NANOS = 20_000;

  /**
   * As {@link #FAST_NANOS}, when the next request is here already and could run on another core.
   */
  private static final long FAST_IN_A_ROW_NANOS = 5_000;

  /** Longer ones count as this, so that one that was held up does not decide for many. */
  private static final long MOST_NANOS = 4 * FAST_NANOS;

  /** Weight of a new sample is 2^-this. */
  private static final int WEIGHT_SHIFT = 4;

  private final AtomicLong averageNanos = new AtomicLong();

  void add(long nanos) {
    long average = averageNanos.getOpaque();
    long change = (Math.min(nanos, MOST_NANOS) - average) >> WEIGHT_SHIFT;
    averageNanos.setOpaque(average + change);
  }

  /**
   * Whether to keep the turn.
   *
   * @param more whether the next request, or a part of it, has arrived
   */
  boolean fast(boolean more) {
    return averageNanos.getOpaque() < (more ? FAST_IN_A_ROW_NANOS : FAST_NANOS);
  }
}
