package blksnap.nbd;

import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Whose turn it is to read a connection's next request: one thread's. Usually the thread that has
 * read a request gives the turn to another before it works on it. Waking that other thread costs
 * more than a fast request does, so a thread may also keep the turn while it works; a request that
 * then takes long has the turn taken away by the watchdog.
 */
final class NbdTurn {
  private final Semaphore turn = new Semaphore(1);

  /** The number of the request that is worked on with the turn kept, or 0. */
  private final AtomicInteger kept = new AtomicInteger();

  /** Of the thread whose turn it is. */
  private int lastKept;

  /** Of the watchdog: what it saw before. */
  private int watched;

  /** Waits for the turn. */
  void take() {
    turn.acquireUninterruptibly();
  }

  /** Lets another thread read; called by the one whose turn it is, or that took it away. */
  void give() {
    turn.release();
  }

  /** Whether a thread stands ready to read next; may be out of date at once. */
  boolean someoneWaits() {
    return turn.hasQueuedThreads();
  }

  /** Keeps the turn for one request; returns its number for {@link #retain}. */
  int keep() {
    lastKept = lastKept == Integer.MAX_VALUE ? 1 : lastKept + 1;
    kept.set(lastKept);
    return lastKept;
  }

  /**
   * Whether the turn that was kept is still the caller's. When not, it has to {@link #take} it
   * anew.
   */
  boolean retain(int number) {
    return kept.compareAndSet(number, 0);
  }

  /** Whether a turn is kept now. */
  boolean isKept() {
    return kept.get() != 0;
  }

  /**
   * Whether a request has kept the turn since the last call or before: called at intervals by the
   * watchdog.
   */
  NbdTurn.Watch watch() {
    int now = kept.get();
    if (now == 0) {
      watched = 0;
      return Watch.FREE;
    }
    if (now != watched) {
      watched = now;
      return Watch.KEPT;
    }
    watched = 0;
    return kept.compareAndSet(now, 0) ? Watch.TAKEN_AWAY : Watch.FREE;
  }

  /** What the watchdog found. */
  enum Watch {
    /** Nobody keeps it. */
    FREE,
    /** A request has kept it for less than an interval. */
    KEPT,
    /**
     * One kept it for a whole interval, and now the watchdog has it, and must {@link NbdTurn#give}
     * it.
     */
    TAKEN_AWAY
  }
}
