package blksnap.testing;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/**
 * Time that passes only when it is told to: both the wall clock and the monotonic one. Safe from
 * many threads.
 */
public final class ManualClock implements InstantSource, LongSupplier {
  private final Instant start;
  private final AtomicLong passedNanos = new AtomicLong();

  public ManualClock(Instant start) {
    this.start = start;
  }

  /** Starts at an arbitrary moment that is the same in every run. */
  public ManualClock() {
    this(Instant.parse("2026-01-01T00:00:00Z"));
  }

  public void advance(Duration by) {
    if (by.isNegative()) {
      throw new IllegalArgumentException("time does not go back by " + by);
    }
    passedNanos.addAndGet(by.toNanos());
  }

  @Override
  public Instant instant() {
    return start.plusNanos(passedNanos.get());
  }

  /** Monotonic nanoseconds; only differences mean something. */
  @Override
  public long getAsLong() {
    return passedNanos.get();
  }
}
