package blksnap.backup;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.OptionalLong;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;

/** Holds threads back so that they do not read, or send, more in a second than they may. */
final class Throttle {
  private static final double NANOS_PER_SECOND = 1e9;

  /** Longest wait at a time, so that giving up is noticed. */
  private static final long MAX_PARK_NANOS = 100_000_000;

  private final OptionalLong bytesPerSecond;
  private final LongSupplier nanoClock;
  private final BooleanSupplier cancelled;
  private final Lock lock = new ReentrantLock();

  /** Whether those who are held back work for nothing. */
  private volatile BooleanSupplier over = () -> false;

  /** When the next read may begin. */
  @GuardedBy("lock")
  private long nextNanos;

  Throttle(OptionalLong bytesPerSecond, LongSupplier nanoClock, BooleanSupplier cancelled) {
    this.bytesPerSecond = bytesPerSecond;
    this.nanoClock = nanoClock;
    this.cancelled = cancelled;
    this.nextNanos = nanoClock.getAsLong();
  }

  /** Holds nobody back any more once this is so. */
  void endWith(BooleanSupplier end) {
    over = end;
  }

  /** Waits until so many bytes may be read. */
  void take(long bytes) {
    if (bytesPerSecond.isEmpty()) {
      return;
    }
    long dueNanos = reserve(bytes);
    for (long left = dueNanos - nanoClock.getAsLong(); left > 0 && !isOver(); ) {
      LockSupport.parkNanos(Math.min(left, MAX_PARK_NANOS));
      left = dueNanos - nanoClock.getAsLong();
    }
  }

  private boolean isOver() {
    return cancelled.getAsBoolean() || over.getAsBoolean();
  }

  /** When these bytes may be read; time that nobody used is not saved up. */
  long reserve(long bytes) {
    lock.lock();
    try {
      long now = nanoClock.getAsLong();
      long due = nextNanos - now < 0 ? now : nextNanos;
      nextNanos = due + (long) (bytes * NANOS_PER_SECOND / bytesPerSecond.orElse(Long.MAX_VALUE));
      return due;
    } finally {
      lock.unlock();
    }
  }
}
