package blksnap.nbd;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;

/** Every thread of one server, so that closing can wait for them all. Safe from many threads. */
final class NbdThreads {
  /**
   * Dead threads are forgotten when the list has grown to twice what was alive, but not below this.
   */
  private static final int MIN_SWEEP = 64;

  /** Guards the fields below. */
  private final Lock lock = new ReentrantLock();

  private final List<Thread> started = new ArrayList<>();
  private int sweepAt = MIN_SWEEP;

  /**
   * Starts a thread; an {@link OutOfMemoryError} when the system has no more leaves nothing behind.
   */
  Thread start(String name, Runnable task) {
    Thread thread = Thread.ofPlatform().name(name).daemon(true).unstarted(task);
    lock.lock();
    try {
      thread.start();
      started.add(thread);
      if (started.size() >= sweepAt) {
        started.removeIf(known -> !known.isAlive());
        sweepAt = Math.max(MIN_SWEEP, 2 * started.size());
      }
    } finally {
      lock.unlock();
    }
    return thread;
  }

  /**
   * Waits until all have ended, also those they start meanwhile; returns how many had not at {@code
   * deadlineNanos}.
   */
  int join(long deadlineNanos) throws InterruptedException {
    List<Thread> alive = alive();
    while (!alive.isEmpty()) {
      for (Thread thread : alive) {
        long nanos = deadlineNanos - System.nanoTime();
        if (nanos <= 0) {
          return alive().size();
        }
        thread.join(Duration.ofNanos(nanos));
      }
      alive = alive();
    }
    return 0;
  }

  private List<Thread> alive() {
    lock.lock();
    try {
      return started.stream().filter(Thread::isAlive).toList();
    } finally {
      lock.unlock();
    }
  }
}
