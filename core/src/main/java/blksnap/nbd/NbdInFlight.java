package blksnap.nbd;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Counts the requests of one connection that are worked on, and lets a server that stops wait for
 * them.
 */
final class NbdInFlight {
  private final AtomicInteger count = new AtomicInteger();

  /** Opened when the server stops and nothing is in flight any more. */
  private final CountDownLatch drained = new CountDownLatch(1);

  private volatile boolean stopping;

  /** Counts one more; false when the server stops and the request must be refused. */
  boolean begin() {
    count.getAndIncrement();
    if (!stopping) {
      return true;
    }
    done(); // stop() may have seen 0 already: nobody would wait for this request
    return false;
  }

  /** One that was begun is answered. */
  void done() {
    if (count.decrementAndGet() == 0 && stopping) {
      drained.countDown();
    }
  }

  /** From now on none can begin: requests that come are refused with {@code ESHUTDOWN}. */
  void stop() {
    stopping = true;
    if (count.get() == 0) {
      drained.countDown();
    }
  }

  /** After {@link #stop}: whether all were answered before the deadline. */
  boolean awaitDrained(long deadlineNanos) throws InterruptedException {
    return drained.await(deadlineNanos - System.nanoTime(), TimeUnit.NANOSECONDS);
  }

  int count() {
    return count.get();
  }
}
