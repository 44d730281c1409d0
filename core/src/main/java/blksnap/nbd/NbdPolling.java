package blksnap.nbd;

import blksnap.linux.SocketProbe;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;

/**
 * Looks for a client's next request for a moment before its thread goes to sleep. With one request
 * in flight and both sides on processors of their own, each waits for the other, and to wake one
 * that sleeps costs several times what the request does. Where the looking gains nothing, it is
 * left off, for longer each time. One thread at a time.
 */
final class NbdPolling {
  /** About as long as a client takes that had to be woken first; whoever is slower may sleep. */
  static final long MOST_NANOS = 50_000;

  /** Given away for so long, the processor is wanted by others; a host takes one for less. */
  static final long BUSY_NANOS = 500_000;

  private static final int MOST_CREDIT = 8;
  private static final int CREDIT_OF_A_TRIAL = 4;
  private static final int COST_OF_A_MISS = 2;
  private static final int LEAST_PAUSE = 64;
  private static final int MOST_PAUSE = 1 << 16;

  private final BooleanSupplier readable;
  private final Runnable yielding;
  private final LongSupplier nanoClock;

  /** A miss takes more of it than a find gives; when it is used up, there is a pause. */
  private int credit = CREDIT_OF_A_TRIAL;

  /** Waits that are still to come without looking. */
  private int pause;

  private int nextPause = LEAST_PAUSE;

  NbdPolling(SocketProbe probe) {
    this(probe::readable, SocketProbe::yieldProcessor, System::nanoTime);
  }

  NbdPolling(BooleanSupplier readable, Runnable yielding, LongSupplier nanoClock) {
    this.readable = readable;
    this.yielding = yielding;
    this.nanoClock = nanoClock;
  }

  /** Returns when something has come, or when it is time to sleep. */
  void await() {
    if (pause > 0) {
      pause--;
      return;
    }
    long start = nanoClock.getAsLong();
    long before = start;
    while (true) {
      yielding.run(); // to a client that was woken on this processor
      boolean here = readable.getAsBoolean();
      long now = nanoClock.getAsLong();
      if (here) {
        found();
        return;
      }
      if (now - before >= BUSY_NANOS) {
        rest();
        return;
      }
      if (now - start >= MOST_NANOS) {
        miss();
        return;
      }
      before = now;
    }
  }

  private void found() {
    credit = Math.min(MOST_CREDIT, credit + 1);
    if (credit == MOST_CREDIT) {
      nextPause = LEAST_PAUSE;
    }
  }

  private void miss() {
    credit -= COST_OF_A_MISS;
    if (credit <= 0) {
      rest();
    }
  }

  private void rest() {
    credit = CREDIT_OF_A_TRIAL;
    pause = nextPause;
    nextPause = Math.min(MOST_PAUSE, 2 * nextPause);
  }
}
