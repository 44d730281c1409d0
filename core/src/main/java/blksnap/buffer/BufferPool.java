package blksnap.buffer;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntSupplier;

/**
 * Direct buffers, page aligned, lent and given back. At most {@code limitBytes} are out at a time:
 * who asks for more waits. Sizes are rounded up to a power of two from {@value #ALIGNMENT} bytes,
 * and each size keeps its own free list.
 *
 * <p>Safe from many threads. A thread that holds a buffer must not wait for a second one, or two
 * such threads could wait for each other.
 */
public final class BufferPool {
  /**
   * Alignment of every buffer's address, enough for O_DIRECT on any disk; also the smallest size.
   */
  public static final int ALIGNMENT = 4096;

  private static final int SIZES = 31;

  private final long limitBytes;
  private final IntSupplier keepPerSize;

  /** Guards all fields below; held only to take or give, never across I/O. */
  private final ReentrantLock lock = new ReentrantLock();

  private final Condition returned = lock.newCondition();
  private final ArrayDeque<ByteBuffer>[] free;
  private long lentBytes;

  /**
   * @param limitBytes bytes lent at a time; must cover the largest single request
   * @param keepPerSize free buffers kept of one size, read anew at every release
   */
  public BufferPool(long limitBytes, IntSupplier keepPerSize) {
    this.limitBytes = limitBytes;
    this.keepPerSize = keepPerSize;
    this.free = newFreeLists();
  }

  @SuppressWarnings({"unchecked", "rawtypes"}) // an array of a generic type can only be made raw
  private static ArrayDeque<ByteBuffer>[] newFreeLists() {
    ArrayDeque<ByteBuffer>[] lists = new ArrayDeque[SIZES];
    for (int i = 0; i < SIZES; i++) {
      lists[i] = new ArrayDeque<>();
    }
    return lists;
  }

  /**
   * A buffer with position 0 and limit {@code bytes}, its content undefined; waits while the limit
   * is reached.
   *
   * @throws BlkSnapException {@code EINTR} when interrupted while waiting
   */
  public Lease take(int bytes) throws BlkSnapException {
    int shift = shiftFor(bytes);
    long size = 1L << shift;
    if (size > limitBytes) {
      throw new IllegalArgumentException(bytes + " bytes are over the pool's " + limitBytes);
    }
    ByteBuffer buffer;
    lock.lock();
    try {
      while (lentBytes + size > limitBytes) {
        returned.await();
      }
      lentBytes += size;
      buffer = free[shift].pollFirst();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BlkSnapException(Errno.EINTR, "interrupted while waiting for a buffer", e);
    } finally {
      lock.unlock();
    }
    if (buffer == null) {
      boolean made = false;
      try {
        buffer = ByteBuffer.allocateDirect((int) size + ALIGNMENT).alignedSlice(ALIGNMENT);
        made = true;
      } finally {
        if (!made) {
          give(size, shift, null);
        }
      }
    }
    buffer.clear().limit(bytes);
    return new Lease(this, buffer, shift);
  }

  /** Bytes lent now. */
  public long lentBytes() {
    lock.lock();
    try {
      return lentBytes;
    } finally {
      lock.unlock();
    }
  }

  private static int shiftFor(int bytes) {
    if (bytes <= 0 || bytes > 1 << (SIZES - 1)) {
      throw new IllegalArgumentException("buffer of " + bytes + " bytes");
    }
    return Math.max(
        Integer.numberOfTrailingZeros(ALIGNMENT), 32 - Integer.numberOfLeadingZeros(bytes - 1));
  }

  private void give(long size, int shift, @org.jspecify.annotations.Nullable ByteBuffer buffer) {
    lock.lock();
    try {
      lentBytes -= size;
      if (buffer != null && free[shift].size() < keepPerSize.getAsInt()) {
        free[shift].addFirst(buffer);
      }
      returned.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** One lent buffer; closing gives it back, twice is harmless. Used by one thread at a time. */
  public static final class Lease implements AutoCloseable {
    private final BufferPool pool;
    private final ByteBuffer buffer;
    private final int shift;
    private boolean open = true;

    private Lease(BufferPool pool, ByteBuffer buffer, int shift) {
      this.pool = pool;
      this.buffer = buffer;
      this.shift = shift;
    }

    /** The buffer; must not be touched after {@link #close}. */
    public ByteBuffer buffer() {
      return buffer;
    }

    @Override
    public void close() {
      if (open) {
        open = false;
        pool.give(1L << shift, shift, buffer);
      }
    }
  }
}
