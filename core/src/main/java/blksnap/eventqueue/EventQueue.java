package blksnap.eventqueue;

import java.util.ArrayDeque;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;

/** The events of one snapshot, oldest first. Safe from many threads; posting never blocks. */
public final class EventQueue {
  /** Events kept; a reader this far behind must look at the state anyway. The oldest goes first. */
  public static final int CAPACITY = 1024;

  /**
   * @param timeNanos monotonic clock when it happened
   */
  public record Stamped(long timeNanos, Event event) {}

  private final LongSupplier nanoClock;

  /** Guards all fields below. */
  private final ReentrantLock lock = new ReentrantLock();

  private final Condition changed = lock.newCondition();
  private final ArrayDeque<Stamped> events = new ArrayDeque<>();
  private long dropped;
  private boolean closed;

  public EventQueue(LongSupplier nanoClock) {
    this.nanoClock = nanoClock;
  }

  public void post(Event event) {
    lock.lock();
    try {
      if (events.size() == CAPACITY) {
        events.removeFirst();
        dropped++;
      }
      events.addLast(new Stamped(nanoClock.getAsLong(), event));
      changed.signal();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Takes the oldest event, waiting up to {@code timeoutMillis} for one; empty when none came in
   * that time, or when the queue was closed.
   */
  public Optional<Stamped> await(long timeoutMillis) throws InterruptedException {
    lock.lock();
    try {
      long left = TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
      while (events.isEmpty() && !closed && left > 0) {
        left = changed.awaitNanos(left);
      }
      return Optional.ofNullable(events.pollFirst());
    } finally {
      lock.unlock();
    }
  }

  /** Events that were lost because nobody took them. */
  public long dropped() {
    lock.lock();
    try {
      return dropped;
    } finally {
      lock.unlock();
    }
  }

  /** Wakes every waiter; the snapshot is gone. */
  public void close() {
    lock.lock();
    try {
      closed = true;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  public boolean isClosed() {
    lock.lock();
    try {
      return closed;
    } finally {
      lock.unlock();
    }
  }
}
