package blksnap.testing;

import blksnap.device.BlockDevice;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A disk in memory that knows its holes in blocks of {@value #BLOCK_BYTES} bytes. Safe from many
 * threads.
 */
public final class MemoryDevice implements BlockDevice {
  /** Granularity of holes. */
  public static final int BLOCK_BYTES = 4096;

  private final byte[] bytes;
  private final boolean[] allocated;
  private final boolean readOnly;
  private final AtomicInteger flushes = new AtomicInteger();
  private final ReadWriteLock lock = new ReentrantReadWriteLock();
  private volatile boolean closed;

  private MemoryDevice(int sizeBytes, boolean readOnly) {
    if (sizeBytes <= 0 || sizeBytes % 512 != 0) {
      throw new IllegalArgumentException(sizeBytes + " bytes are not whole sectors");
    }
    this.bytes = new byte[sizeBytes];
    this.allocated = new boolean[(sizeBytes + BLOCK_BYTES - 1) / BLOCK_BYTES];
    this.readOnly = readOnly;
  }

  /** A disk that is one hole. */
  public static MemoryDevice ofSize(int sizeBytes) {
    return new MemoryDevice(sizeBytes, false);
  }

  /** A disk with this content, all of it allocated, that refuses every change. */
  public static MemoryDevice readOnly(byte[] content) {
    var device = new MemoryDevice(content.length, true);
    device.set(0, content);
    return device;
  }

  /** Puts content in place, whether read-only or not. */
  public void set(int offset, byte[] content) {
    lock.writeLock().lock();
    try {
      System.arraycopy(content, 0, bytes, offset, content.length);
      allocate(offset, content.length, true);
    } finally {
      lock.writeLock().unlock();
    }
  }

  /** A copy of the content. */
  public byte[] content() {
    lock.readLock().lock();
    try {
      return bytes.clone();
    } finally {
      lock.readLock().unlock();
    }
  }

  /** How often {@link #flush} was called. */
  public int flushes() {
    return flushes.get();
  }

  @Override
  public long sizeBytes() {
    return bytes.length;
  }

  @Override
  public boolean readOnly() {
    return readOnly;
  }

  @Override
  public void read(long offset, ByteBuffer target) throws BlkSnapException {
    check(offset, target.remaining(), false);
    lock.readLock().lock();
    try {
      target.put(bytes, (int) offset, target.remaining());
    } finally {
      lock.readLock().unlock();
    }
  }

  @Override
  public void write(long offset, ByteBuffer source) throws BlkSnapException {
    int length = source.remaining();
    check(offset, length, true);
    lock.writeLock().lock();
    try {
      source.get(bytes, (int) offset, length);
      allocate((int) offset, length, true);
    } finally {
      lock.writeLock().unlock();
    }
  }

  /** Whole blocks become holes; what is only partly covered keeps its content. */
  @Override
  public void discard(long offset, long length) throws BlkSnapException {
    check(offset, length, true);
    long first = (offset + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    long end = (offset + length) / BLOCK_BYTES * BLOCK_BYTES;
    if (first < end) {
      zero((int) first, (int) (end - first), false);
    }
  }

  @Override
  public void writeZeroes(long offset, long length, boolean noHole) throws BlkSnapException {
    check(offset, length, true);
    zero((int) offset, (int) length, noHole);
  }

  /** Holes are quickly made; zeroes that keep their space are written. */
  @Override
  public boolean zeroesFast(boolean noHole) {
    return !noHole;
  }

  private void zero(int offset, int length, boolean keep) {
    lock.writeLock().lock();
    try {
      Arrays.fill(bytes, offset, offset + length, (byte) 0);
      if (keep) {
        allocate(offset, length, true);
      } else {
        int first = (offset + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
        int end = (offset + length) / BLOCK_BYTES * BLOCK_BYTES;
        if (first < end) {
          allocate(first, end - first, false);
        }
      }
    } finally {
      lock.writeLock().unlock();
    }
  }

  @Override
  public void flush() throws BlkSnapException {
    check(0, 0, false);
    flushes.incrementAndGet();
  }

  @Override
  public List<Extent> allocation(long offset, long length, int maxExtents) throws BlkSnapException {
    check(offset, length, false);
    lock.readLock().lock();
    try {
      var extents = new ArrayList<Extent>();
      long end = offset + length;
      for (long at = offset; at < end && extents.size() < maxExtents; ) {
        boolean hole = !allocated[(int) (at / BLOCK_BYTES)];
        long runEnd = at;
        while (runEnd < end && allocated[(int) (runEnd / BLOCK_BYTES)] != hole) {
          runEnd = Math.min(end, (runEnd / BLOCK_BYTES + 1) * BLOCK_BYTES);
        }
        extents.add(new Extent(runEnd - at, hole));
        at = runEnd;
      }
      return extents;
    } finally {
      lock.readLock().unlock();
    }
  }

  @Override
  public void close() {
    closed = true;
  }

  private void allocate(int offset, int length, boolean data) {
    for (int at = offset; at < offset + length; at = (at / BLOCK_BYTES + 1) * BLOCK_BYTES) {
      allocated[at / BLOCK_BYTES] = data;
    }
  }

  private void check(long offset, long length, boolean change) throws BlkSnapException {
    if (closed) {
      throw new BlkSnapException(Errno.ESHUTDOWN, "the device is closed");
    }
    if (change && readOnly) {
      throw new BlkSnapException(Errno.EPERM, "the device is read-only");
    }
    if (offset < 0 || length < 0 || length > bytes.length - offset) {
      throw new IndexOutOfBoundsException(offset + "+" + length + " of " + bytes.length);
    }
  }
}
