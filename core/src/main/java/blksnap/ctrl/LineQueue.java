package blksnap.ctrl;

import java.util.ArrayDeque;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Lines of one client that were read ahead, first in, first out; for one thread that puts and one
 * that takes.
 */
final class LineQueue {
  /**
   * Lines kept. What the client does behind more than these is noticed when there is room again.
   */
  static final int MAX_LINES = 1024;

  /** Bytes kept, apart from the line that exceeds them. */
  static final int MAX_BYTES = 1 << 20;

  /** Guards all fields below. */
  private final ReentrantLock lock = new ReentrantLock();

  private final Condition changed = lock.newCondition();
  private final ArrayDeque<byte[]> lines = new ArrayDeque<>();
  private int bytes;
  private boolean ended;
  private boolean stopped;

  /** Adds a line as soon as there is room; false when nobody wants it any more. */
  boolean put(byte[] line) {
    lock.lock();
    try {
      while (!stopped && (lines.size() >= MAX_LINES || bytes > MAX_BYTES)) {
        changed.awaitUninterruptibly();
      }
      if (stopped) {
        return false;
      }
      lines.addLast(line);
      bytes += line.length;
      changed.signalAll();
      return true;
    } finally {
      lock.unlock();
    }
  }

  /** Takes the next line as soon as there is one; empty after the last one. */
  Optional<byte[]> take() {
    lock.lock();
    try {
      while (lines.isEmpty() && !ended && !stopped) {
        changed.awaitUninterruptibly();
      }
      Optional<byte[]> line = Optional.ofNullable(lines.pollFirst());
      if (line.isPresent()) {
        bytes -= line.get().length;
        changed.signalAll();
      }
      return line;
    } finally {
      lock.unlock();
    }
  }

  /** No line follows those that are there. */
  void end() {
    lock.lock();
    try {
      ended = true;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Forgets all lines, and those that would follow. */
  void stop() {
    lock.lock();
    try {
      stopped = true;
      lines.clear();
      bytes = 0;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }
}
