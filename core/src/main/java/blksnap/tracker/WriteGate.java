package blksnap.tracker;

import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * The gate that every change of a device passes: writers share it, and who closes it waits until
 * those inside are out and holds new ones back. Several gates are closed in the order of their
 * devices' names, so that two closers cannot wait for each other. No lock is ever waited for inside
 * that a closer might hold, but those of I/O.
 */
public final class WriteGate {
  private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();

  /** Held by who closes the gate, or is about to. */
  private final ReentrantLock turnstile = new ReentrantLock();

  /** The turnstile is held. */
  private volatile boolean heldBack;

  void enter() {
    if (heldBack && lock.getReadHoldCount() == 0) {
      turnstile.lock();
      try {
        lock.readLock().lock(); // at once: who closes the gate has the turnstile
      } finally {
        turnstile.unlock();
      }
    } else {
      lock.readLock().lock();
    }
  }

  /** Enters unless the gate is closed, or about to be. */
  boolean tryEnter() {
    return !heldBack && lock.readLock().tryLock();
  }

  void leave() {
    lock.readLock().unlock();
  }

  /**
   * Holds new writers back and does not wait for those inside; until {@link #release} by the same
   * thread. For who closes several gates: a processor that serves writers of the one is not there
   * for those who have to leave the other.
   */
  public void holdBack() {
    turnstile.lock();
    heldBack = true;
  }

  /** Takes one {@link #holdBack} back. */
  public void release() {
    heldBack = turnstile.getHoldCount() > 1;
    turnstile.unlock();
  }

  /** Returns when nobody is inside; {@link #open} by the same thread lets writers in again. */
  public void close() {
    holdBack();
    lock.writeLock().lock();
  }

  public void open() {
    lock.writeLock().unlock();
    release();
  }
}
