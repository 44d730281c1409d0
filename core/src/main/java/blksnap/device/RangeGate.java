package blksnap.device;

import java.util.ArrayDeque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Keeps changes of overlapping byte ranges apart where one of them must be alone. Who comes first
 * goes first among those that conflict, so none waits for ever. A thread inside must not enter
 * again.
 */
final class RangeGate {
  /** Guards {@link #passes}; never held across I/O. */
  private final ReentrantLock lock = new ReentrantLock();

  private final Condition left = lock.newCondition();

  /** Inside or waiting, in the order they came; at most one a thread. */
  private final ArrayDeque<Pass> passes = new ArrayDeque<>();

  /** Enters {@code [first, end)} together with others that do not ask to be alone. */
  Pass enter(long first, long end) {
    return enter(new Pass(first, end, false));
  }

  /** Enters {@code [first, end)} with nobody else in any part of it. */
  Pass enterAlone(long first, long end) {
    return enter(new Pass(first, end, true));
  }

  private Pass enter(Pass pass) {
    lock.lock();
    try {
      passes.addLast(pass);
      while (conflictsWithEarlier(pass)) {
        left.awaitUninterruptibly();
      }
      return pass;
    } finally {
      lock.unlock();
    }
  }

  private boolean conflictsWithEarlier(Pass pass) {
    for (Pass other : passes) {
      if (other == pass) {
        return false;
      }
      if (other.conflictsWith(pass)) {
        return true;
      }
    }
    throw new IllegalStateException("a pass that was never given");
  }

  private void leave(Pass pass) {
    lock.lock();
    try {
      if (passes.remove(pass)) {
        left.signalAll();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Closing it leaves the range. */
  final class Pass implements AutoCloseable {
    private final long first;
    private final long end;
    private final boolean alone;

    private Pass(long first, long end, boolean alone) {
      this.first = first;
      this.end = end;
      this.alone = alone;
    }

    private boolean conflictsWith(Pass other) {
      return (alone || other.alone) && first < other.end && other.first < end;
    }

    @Override
    public void close() {
      leave(this);
    }
  }
}
