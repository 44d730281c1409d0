package blksnap.snapshot;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * Waits of one take: each ends at a deadline, when the engine goes, or when the thread is
 * interrupted. An interrupt is kept for {@link #restore}, since what has to be undone is undone
 * with files, which an interrupted thread cannot use. One thread.
 */
final class Patience {
  /** How often is looked whether the engine goes. */
  private static final long LOOK_MILLIS = 20;

  private final BooleanSupplier going;
  private boolean interrupted;

  Patience(BooleanSupplier going) {
    this.going = going;
  }

  /** Whether nothing is to be waited for any more. */
  boolean isOver() {
    return interrupted || going.getAsBoolean();
  }

  /** What is waited for, for a moment; true when it came. */
  @FunctionalInterface
  interface Moment {
    boolean await(long millis) throws InterruptedException;
  }

  /** True when {@code moment} came before the deadline and before the engine went. */
  boolean await(Moment moment, long deadlineNanos) {
    while (true) {
      long left = deadlineNanos - System.nanoTime();
      long millis = Math.clamp(TimeUnit.NANOSECONDS.toMillis(left), 0, LOOK_MILLIS);
      try {
        if (moment.await(millis)) {
          return true;
        }
      } catch (InterruptedException e) {
        interrupted = true;
      }
      if (left <= 0 || isOver()) {
        return false;
      }
    }
  }

  /** Waits for {@code latch} whatever happens, but at most until the deadline. */
  boolean insist(CountDownLatch latch, long deadlineNanos) {
    while (true) {
      try {
        return latch.await(deadlineNanos - System.nanoTime(), TimeUnit.NANOSECONDS);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
  }

  /** Gives an interrupt back to the thread. */
  void restore() {
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
