package blksnap.buffer;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.Closeable;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntSupplier;

/**
 * Direct buffers, page aligned, lent and given back. At most {@code limitBytes} are out at a time:
 * who asks for more waits, first come, first served. Sizes are rounded up to a power of two from
 * {@value #ALIGNMENT} bytes, and each size keeps its own free list. What is out and what is kept
 * free are together never more than {@code limitBytes}.
 *
 * <p>Safe from many threads. A thread that holds a buffer must not wait for a second one, or two
 * such threads could wait for each other.
 */
public final class BufferPool implements Closeable {
  /**
   * Alignment of every buffer's address, enough for O_DIRECT on any disk; also the smallest size.
   */
  public static final int ALIGNMENT = 4096;

  private static final int SIZES = 31;

  /**
   * From this size on what is not kept is freed at once. That makes Java ask every thread, which
   * hundreds of threads that end together must not do for their small buffers.
   */
  private static final int FREED_AT_ONCE_BYTES = 1 << 20;

  private final long limitBytes;
  private final IntSupplier keepPerSize;

  /** One permit for each {@link #ALIGNMENT} bytes that may still be lent. */
  private final Semaphore pages;

  /** Guards all fields below; held only to take or give, never across I/O or an allocation. */
  private final ReentrantLock lock = new ReentrantLock();

  @GuardedBy("lock")
  private final List<Deque<Memory>> free = new ArrayList<>();

  /** Bytes that are out or free. */
  @GuardedBy("lock")
  private long heldBytes;

  @GuardedBy("lock")
  private boolean closed;

  /** Memory that is freed by closing its arena, or by the collector where it has none. */
  private record Memory(Optional<Arena> arena, ByteBuffer buffer) {
    void free() {
      arena.ifPresent(Arena::close);
    }
  }

  /**
   * @param limitBytes bytes lent at a time; must cover the largest single request
   * @param keepPerSize free buffers kept of one size, read anew at every release
   */
  public BufferPool(long limitBytes, IntSupplier keepPerSize) {
    this.limitBytes = limitBytes;
    this.keepPerSize = keepPerSize;
    this.pages = new Semaphore(Math.toIntExact(limitBytes / ALIGNMENT), true);
    for (int i = 0; i < SIZES; i++) {
      free.add(new ArrayDeque<>());
    }
  }

  /**
   * A buffer with position 0 and limit {@code bytes}, its content undefined; waits while the limit
   * is reached.
   *
   * @throws BlkSnapException {@code EINTR} when interrupted while waiting and {@code ENOMEM} when
   *     Java may use no more direct memory; then nothing was taken
   */
  public Lease take(int bytes) throws BlkSnapException {
    int shift = shiftFor(bytes);
    int count = pagesOf(shift);
    if ((long) count * ALIGNMENT > limitBytes) {
      throw new IllegalArgumentException(bytes + " bytes are over the pool's " + limitBytes);
    }
    try {
      // An interrupted thread that need not wait gets on; who waits already goes first.
      if (pages.hasQueuedThreads() || !pages.tryAcquire(count)) {
        pages.acquire(count);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BlkSnapException(Errno.EINTR, "interrupted while waiting for a buffer", e);
    }
    boolean taken = false;
    try {
      Memory memory = memory(shift);
      taken = true;
      memory.buffer().clear().limit(bytes);
      return new Lease(this, memory, shift);
    } finally {
      if (!taken) {
        pages.release(count);
      }
    }
  }

  private Memory memory(int shift) throws BlkSnapException {
    List<Memory> dropped = new ArrayList<>();
    lock.lock();
    try {
      Memory kept = free.get(shift).pollFirst();
      if (kept != null) {
        return kept;
      }
      heldBytes += 1L << shift;
      dropToLimit(dropped);
    } finally {
      lock.unlock();
    }
    boolean made = false;
    try {
      dropped.forEach(Memory::free);
      Memory memory = allocate(1 << shift);
      made = true;
      return memory;
    } finally {
      if (!made) {
        forget(shift);
      }
    }
  }

  /** Largest first: one of them makes room for many. */
  @GuardedBy("lock")
  private void dropToLimit(List<Memory> dropped) {
    for (int shift = SIZES - 1; shift >= 0 && heldBytes > limitBytes; shift--) {
      Deque<Memory> kept = free.get(shift);
      while (heldBytes > limitBytes && !kept.isEmpty()) {
        dropped.add(kept.removeLast());
        heldBytes -= 1L << shift;
      }
    }
  }

  private static Memory allocate(int bytes) throws BlkSnapException {
    try {
      return bytes < FREED_AT_ONCE_BYTES
          ? new Memory(
              Optional.empty(),
              ByteBuffer.allocateDirect(bytes + ALIGNMENT).alignedSlice(ALIGNMENT))
          : allocateLarge(bytes);
    } catch (OutOfMemoryError e) { // not of the heap
      throw new BlkSnapException(Errno.ENOMEM, "no memory for a buffer of " + bytes + " bytes", e);
    }
  }

  private static Memory allocateLarge(int bytes) {
    Arena arena = Arena.ofShared();
    boolean made = false;
    try {
      var memory = new Memory(Optional.of(arena), arena.allocate(bytes, ALIGNMENT).asByteBuffer());
      made = true;
      return memory;
    } finally {
      if (!made) {
        arena.close();
      }
    }
  }

  /** Bytes lent now. */
  public long lentBytes() {
    return limitBytes / ALIGNMENT * ALIGNMENT - (long) pages.availablePermits() * ALIGNMENT;
  }

  /** Bytes lent now, or kept free. */
  public long heldBytes() {
    lock.lock();
    try {
      return heldBytes;
    } finally {
      lock.unlock();
    }
  }

  /** Most bytes that can be lent at a time. */
  public long limitBytes() {
    return limitBytes;
  }

  private static int pagesOf(int shift) {
    return (1 << shift) / ALIGNMENT;
  }

  private static int shiftFor(int bytes) {
    if (bytes <= 0 || bytes > 1 << (SIZES - 1)) {
      throw new IllegalArgumentException("buffer of " + bytes + " bytes");
    }
    return Math.max(
        Integer.numberOfTrailingZeros(ALIGNMENT), 32 - Integer.numberOfLeadingZeros(bytes - 1));
  }

  private void give(int shift, Memory memory) {
    Optional<Memory> dropped = Optional.empty();
    lock.lock();
    try {
      if (!closed && free.get(shift).size() < keepPerSize.getAsInt()) {
        free.get(shift).addFirst(memory);
      } else {
        heldBytes -= 1L << shift;
        dropped = Optional.of(memory);
      }
    } finally {
      lock.unlock();
    }
    dropped.ifPresent(Memory::free);
    pages.release(pagesOf(shift));
  }

  private void forget(int shift) {
    lock.lock();
    try {
      heldBytes -= 1L << shift;
    } finally {
      lock.unlock();
    }
  }

  /** Frees what is kept; what is still lent is freed when it is given back. Twice is harmless. */
  @Override
  public void close() {
    List<Memory> dropped = new ArrayList<>();
    lock.lock();
    try {
      closed = true;
      for (int shift = 0; shift < SIZES; shift++) {
        heldBytes -= (long) free.get(shift).size() << shift;
        dropped.addAll(free.get(shift));
        free.get(shift).clear();
      }
    } finally {
      lock.unlock();
    }
    dropped.forEach(Memory::free);
  }

  /** One lent buffer; closing gives it back, twice is harmless. Used by one thread at a time. */
  public static final class Lease implements AutoCloseable {
    private final BufferPool pool;
    private final Memory memory;
    private final int shift;
    private boolean open = true;

    private Lease(BufferPool pool, Memory memory, int shift) {
      this.pool = pool;
      this.memory = memory;
      this.shift = shift;
    }

    /** The buffer; must not be touched after {@link #close}. */
    public ByteBuffer buffer() {
      return memory.buffer();
    }

    @Override
    public void close() {
      if (open) {
        open = false;
        pool.give(shift, memory);
      }
    }
  }
}
