package blksnap.nbd;

import java.util.concurrent.atomic.AtomicLong;

/**
 * How fast all clients of one export together may ask. Requests are let in at the pace of the
 * limit; after a rest a tenth of a second's worth at once. Safe from many threads.
 */
public final class NbdThrottle {
  private static final long SECOND_NANOS = 1_000_000_000;
  private static final long BURST_NANOS = SECOND_NANOS / 10;

  private volatile Limits limits = Limits.NONE;

  /** When, by the clock of {@link System#nanoTime}, the next request may be let in. */
  private final AtomicLong free;

  public NbdThrottle() {
    this(System.nanoTime());
  }

  NbdThrottle(long nowNanos) {
    this.free = new AtomicLong(nowNanos);
  }

  /**
   * @param requestsPerSecond 0 for any number
   * @param bytesPerSecond 0 for any number
   */
  public record Limits(long requestsPerSecond, long bytesPerSecond) {
    /** As fast as can be. */
    public static final Limits NONE = new Limits(0, 0);

    /** Lets the largest request through in about half an hour. */
    public static final long MIN_BYTES_PER_SECOND = 16 << 10;

    public Limits {
      if (requestsPerSecond < 0
          || bytesPerSecond < 0
          || (bytesPerSecond > 0 && bytesPerSecond < MIN_BYTES_PER_SECOND)) {
        throw new IllegalArgumentException(
            requestsPerSecond + " requests and " + bytesPerSecond + " bytes a second");
      }
    }

    private boolean none() {
      return requestsPerSecond == 0 && bytesPerSecond == 0;
    }

    /** What a request takes of the time; the stricter limit counts. */
    private double nanos(long bytes) {
      double byCount = requestsPerSecond == 0 ? 0 : (double) SECOND_NANOS / requestsPerSecond;
      double byBytes = bytesPerSecond == 0 ? 0 : (double) SECOND_NANOS * bytes / bytesPerSecond;
      return Math.max(byCount, byBytes);
    }
  }

  /** From now on these hold; who waits because of the old ones asks anew. */
  public void become(Limits next) {
    limits = next;
    free.set(System.nanoTime());
  }

  public Limits limits() {
    return limits;
  }

  /** Whether there is a limit at all. */
  boolean holds() {
    return !limits.none();
  }

  /**
   * Lets one request in.
   *
   * @param bytes that it moves
   * @return how long it has to wait, 0 for not at all
   */
  long enter(long bytes, long nowNanos) {
    long cost = (long) limits.nanos(bytes);
    while (true) {
      long before = free.get();
      long earliest = nowNanos - BURST_NANOS;
      long start = before - earliest < 0 ? earliest : before;
      if (free.compareAndSet(before, start + cost)) {
        return Math.max(0, start - nowNanos);
      }
    }
  }
}
