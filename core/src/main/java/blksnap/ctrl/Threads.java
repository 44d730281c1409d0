package blksnap.ctrl;

import java.util.concurrent.TimeUnit;

/**
 * Waiting for threads whatever interrupts come: a close that is interrupted must not leave half of
 * them running.
 */
final class Threads {
  private Threads() {}

  /** Returns when {@code thread} has ended; keeps an interrupt for later. */
  static void joinUninterruptibly(Thread thread) {
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException _) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Waits for {@code thread} until {@code graceMillis} after {@code startNanos}; keeps an interrupt
   * for later.
   *
   * @return whether it has ended
   */
  static boolean join(Thread thread, long startNanos, long graceMillis) {
    long graceNanos = TimeUnit.MILLISECONDS.toNanos(graceMillis);
    boolean interrupted = false;
    long left = graceNanos - (System.nanoTime() - startNanos);
    while (thread.isAlive() && left > 0) {
      try {
        TimeUnit.NANOSECONDS.timedJoin(thread, Math.max(left, 1_000_000));
      } catch (InterruptedException _) {
        interrupted = true;
      }
      left = graceNanos - (System.nanoTime() - startNanos);
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    return !thread.isAlive();
  }
}
