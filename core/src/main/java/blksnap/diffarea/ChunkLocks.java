package blksnap.diffarea;

import java.util.Arrays;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A lock for every chunk without an object for every chunk: {@value #LOCKS} locks that chunks share
 * by number. A thread holds at most one of them at a time, so sharing delays and never deadlocks.
 */
final class ChunkLocks {
  private static final int LOCKS = 256;

  private final ReentrantReadWriteLock[] locks = new ReentrantReadWriteLock[LOCKS];

  ChunkLocks() {
    Arrays.setAll(locks, i -> new ReentrantReadWriteLock());
  }

  ReentrantReadWriteLock of(long chunk) {
    return locks[(int) ((chunk * 0x9E37_79B9_7F4A_7C15L) >>> 56)];
  }
}
