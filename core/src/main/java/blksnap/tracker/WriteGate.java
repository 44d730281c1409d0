package blksnap.tracker;

import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * The gate that every change of a device passes: writers share it, and who closes it waits until
 * those inside are out and holds new ones back. Several gates are closed in the order of their
 * devices' names, so that two closers cannot wait for each other. No lock is ever waited for inside
 * that a closer might hold, but those of I/O.
 */
public final class WriteGate {
  private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();

  void enter() {
    lock.readLock().lock();
  }

  void leave() {
    lock.readLock().unlock();
  }

  /** Returns when nobody is inside; {@link #open} by the same thread lets writers in again. */
  public void close() {
    lock.writeLock().lock();
  }

  public void open() {
    lock.writeLock().unlock();
  }
}
