package blksnap.nbd;

import blksnap.buffer.BufferPool;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Payload memory of one connection: a share of the server's, so that a client that reads no replies
 * does not hold all of it. A thread holds one payload at a time. Nobody waits long: a request that
 * gets no memory is worked on in small parts, in its worker's own.
 */
final class NbdPayloads {
  static final int PAGE_BYTES = BufferPool.ALIGNMENT;

  private final BufferPool pool;
  private final NbdBudget budget;
  private final Duration patience;
  private final Semaphore share;

  NbdPayloads(BufferPool pool, NbdBudget budget, Duration patience, long shareBytes) {
    this.pool = pool;
    this.budget = budget;
    this.patience = patience;
    this.share = new Semaphore((int) Math.min(Integer.MAX_VALUE, shareBytes / PAGE_BYTES), true);
  }

  /**
   * Memory for {@code bytes}; empty when there was none within {@link NbdLimits#patience} of the
   * connection's share, and then of what all have.
   */
  Optional<Payload> take(int bytes) throws BlkSnapException {
    int needed = pagesOf(bytes);
    if (!acquire(share, needed)) {
      return Optional.empty();
    }
    Semaphore pages = budget.of(bytes);
    boolean counted = false;
    boolean taken = false;
    try {
      counted = acquire(pages, needed);
      if (!counted) {
        return Optional.empty();
      }
      var payload = new Payload(share, pages, needed, pool.take(bytes));
      taken = true;
      return Optional.of(payload);
    } catch (BlkSnapException e) {
      if (e.errno() == Errno.ENOMEM) {
        return Optional.empty();
      }
      throw e;
    } finally {
      if (!taken) {
        if (counted) {
          pages.release(needed);
        }
        share.release(needed);
      }
    }
  }

  private boolean acquire(Semaphore pages, int count) throws BlkSnapException {
    try {
      return pages.tryAcquire(count, patience.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BlkSnapException(Errno.EINTR, "interrupted while waiting for memory", e);
    }
  }

  /** As the pool rounds: to a power of two. */
  private static int pagesOf(int bytes) {
    int needed = (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    return needed <= 1 ? 1 : Integer.highestOneBit(needed - 1) << 1;
  }

  /** Payload memory in use; closing gives it back. */
  record Payload(Semaphore share, Semaphore pages, int count, BufferPool.Lease lease)
      implements AutoCloseable {
    ByteBuffer buffer() {
      return lease.buffer();
    }

    @Override
    public void close() {
      lease.close();
      pages.release(count);
      share.release(count);
    }
  }
}
