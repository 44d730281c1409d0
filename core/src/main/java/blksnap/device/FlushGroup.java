package blksnap.device;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Syncs a file, one sync at a time: those who ask while one runs share the next. The kernel tells
 * of a lost page to one sync only, so two at a time could tell one of their callers that all is
 * well.
 *
 * <p>Once a sync has failed every later one fails with {@code EIO}, and the kernel is not asked
 * again: it would say that nothing is left to be written.
 */
final class FlushGroup {
  private final Sync dataSync;
  private final Sync fullSync;

  /** Guards all fields below; not held while syncing. */
  private final ReentrantLock lock = new ReentrantLock();

  private final Condition ended = lock.newCondition();
  private long startedCount;
  private long endedCount;
  private boolean running;
  private Optional<BlkSnapException> failure = Optional.empty();

  /**
   * @param dataSync makes all data durable
   * @param fullSync the same, and what is known of the file
   */
  FlushGroup(Sync dataSync, Sync fullSync) {
    this.dataSync = dataSync;
    this.fullSync = fullSync;
  }

  /** Returns when a sync that began after this call has ended well. */
  void flush() throws BlkSnapException {
    lock.lock();
    try {
      long needed = startedCount + 1;
      while (failure.isEmpty() && endedCount < needed) {
        if (running) {
          ended.awaitUninterruptibly();
        } else {
          run(dataSync);
        }
      }
      requireNoFailure();
    } finally {
      lock.unlock();
    }
  }

  /** Returns when a full sync of its own has ended well. */
  void flushFully() throws BlkSnapException {
    lock.lock();
    try {
      while (running) {
        ended.awaitUninterruptibly();
      }
      if (failure.isEmpty()) {
        run(fullSync);
      }
      requireNoFailure();
    } finally {
      lock.unlock();
    }
  }

  private void requireNoFailure() throws BlkSnapException {
    if (failure.isPresent()) {
      BlkSnapException first = failure.get();
      throw new BlkSnapException(
          Errno.EIO, "writes were lost and stay lost: " + first.sentence(), first);
    }
  }

  /** With the lock held at entry and at exit, but not in between. */
  private void run(Sync sync) {
    startedCount++;
    running = true;
    lock.unlock();
    Optional<BlkSnapException> outcome = Optional.empty();
    boolean returned = false;
    try {
      sync.run();
      returned = true;
    } catch (BlkSnapException e) {
      outcome = Optional.of(e);
      returned = true;
    } finally {
      lock.lock();
      running = false;
      endedCount = startedCount;
      failure = returned ? outcome : Optional.of(unknownOutcome());
      ended.signalAll();
    }
  }

  private static BlkSnapException unknownOutcome() {
    return new BlkSnapException(Errno.EIO, "a sync ended without a result");
  }

  /** Makes everything durable that was written before it began. */
  @FunctionalInterface
  interface Sync {
    void run() throws BlkSnapException;
  }
}
