package blksnap.nbd;

import blksnap.buffer.BufferPool;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.nio.ByteBuffer;
import java.util.concurrent.Semaphore;

/**
 * Payload memory of one connection: a share of the server's pool, so that a client that reads no
 * replies does not hold all of it. A thread holds one payload at a time.
 */
final class NbdPayloads {
  private static final int PAGE_BYTES = BufferPool.ALIGNMENT;

  private final BufferPool pool;
  private final Semaphore pages;

  NbdPayloads(BufferPool pool, long shareBytes) {
    this.pool = pool;
    this.pages = new Semaphore((int) Math.min(Integer.MAX_VALUE, shareBytes / PAGE_BYTES));
  }

  /**
   * Memory for {@code bytes}; waits for the connection's share first, and then for the pool.
   *
   * @throws BlkSnapException {@code ENOMEM} when the JVM has no more direct memory
   */
  Payload take(int bytes) throws BlkSnapException {
    int needed = pagesOf(bytes);
    pages.acquireUninterruptibly(needed);
    boolean taken = false;
    try {
      var payload = new Payload(pages, needed, pool.take(bytes));
      taken = true;
      return payload;
    } catch (OutOfMemoryError e) {
      throw new BlkSnapException(Errno.ENOMEM, "no memory for a payload of " + bytes + " bytes", e);
    } finally {
      if (!taken) {
        pages.release(needed);
      }
    }
  }

  /** As the pool rounds: to a power of two. */
  private static int pagesOf(int bytes) {
    int needed = (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    return needed <= 1 ? 1 : Integer.highestOneBit(needed - 1) << 1;
  }

  /** Payload memory in use; closing gives it back. */
  record Payload(Semaphore pages, int count, BufferPool.Lease lease) implements AutoCloseable {
    ByteBuffer buffer() {
      return lease.buffer();
    }

    @Override
    public void close() {
      lease.close();
      pages.release(count);
    }
  }
}
