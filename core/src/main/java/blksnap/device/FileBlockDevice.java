package blksnap.device;

import blksnap.buffer.BufferPool;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.DiskFacts;
import blksnap.linux.FileStatus;
import blksnap.linux.NativeFile;
import blksnap.sector.ByteRange;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A regular file or a block device as a disk. It is held exclusively while it is open: a block
 * device is claimed, so one that is mounted is refused, and a file is locked.
 *
 * <p>Data moves by {@code pread} and {@code pwrite} on our own descriptor, not through a {@code
 * FileChannel}: a channel is closed for every thread when one of them is interrupted within a call,
 * and measures no faster.
 *
 * <p>A file that is shortened by others while it is open is told by {@code EIO}. What a discard
 * leaves on a block device is up to the device, as everywhere on Linux: the old bytes or zeroes on
 * those that keep to the rules.
 */
public final class FileBlockDevice implements ResizableDevice {
  /** How writes reach the medium. */
  public enum Cache {
    /** Through the page cache; a flush makes them durable. */
    WRITEBACK,
    /** Past the page cache. A flush is still what makes them durable. */
    DIRECT
  }

  /**
   * How to open.
   *
   * @param readOnly refuse every change; the file is held exclusively all the same
   */
  public record Options(boolean readOnly, Cache cache) {}

  /** All devices are multiples of this. */
  static final int SECTOR_BYTES = 512;

  /** Memory for requests that cannot go straight to the kernel; each takes one buffer at a time. */
  private static final long BOUNCE_LIMIT_BYTES = 8L * FileIo.BOUNCE_BYTES;

  private static final int BOUNCE_BUFFERS_KEPT = 2;

  /** Never written to. */
  private static final ByteBuffer ZEROES =
      ByteBuffer.allocateDirect(FileIo.BOUNCE_BYTES + BufferPool.ALIGNMENT)
          .alignedSlice(BufferPool.ALIGNMENT)
          .asReadOnlyBuffer();

  private final NativeFile file;
  private final FileIo io;
  private final Space space;
  private final FlushGroup flushes;
  private final boolean readOnly;
  private final List<String> warnings;

  /** Of {@link #io}; freed with the device. */
  private final BufferPool bounce;

  /** Shared by calls; exclusive to change the size and to close. Guards the two fields below. */
  private final ReentrantReadWriteLock gate = new ReentrantReadWriteLock();

  private volatile long sizeBytes;
  private boolean closed;

  private FileBlockDevice(OpenedFile opened, Options options, BufferPool bounce) {
    this.bounce = bounce;
    this.file = opened.file();
    this.io = opened.io();
    this.space = opened.space();
    this.flushes = new FlushGroup(file::dataSync, file::sync);
    this.readOnly = options.readOnly();
    this.warnings = opened.warnings();
    this.sizeBytes = opened.sizeBytes();
  }

  /**
   * Opens and claims {@code path}; symbolic links are followed.
   *
   * @throws BlkSnapException {@code EBUSY} when it is mounted, locked or attached already; {@code
   *     EISDIR} or {@code EINVAL} when it is no file or block device, or smaller than a sector;
   *     {@code EACCES} or {@code EROFS}, with a hint, when it could be attached read-only; else
   *     what the kernel says
   */
  public static FileBlockDevice open(Path path, Options options) throws BlkSnapException {
    return open(path, options, SECTOR_BYTES);
  }

  /**
   * As the public one.
   *
   * @param leastDirectUnit direct I/O is aligned to at least this, a power of two, even where the
   *     file needs less
   */
  static FileBlockDevice open(Path path, Options options, int leastDirectUnit)
      throws BlkSnapException {
    var bounce = new BufferPool(BOUNCE_LIMIT_BYTES, () -> BOUNCE_BUFFERS_KEPT);
    return new FileBlockDevice(
        OpenedFile.open(path, options, leastDirectUnit, bounce), options, bounce);
  }

  /** Sentences for the user about what is odd with the file but no reason to refuse it. */
  public List<String> warnings() {
    return warnings;
  }

  /** The path it was opened by. */
  public Path path() {
    return file.path();
  }

  /** Identity, size and time stamps of the file as they are now. */
  public FileStatus status() throws BlkSnapException {
    return file.stat();
  }

  /** What the kernel tells of it as it is now; of a file nothing. */
  public DiskFacts diskFacts() throws BlkSnapException {
    return file.diskFacts();
  }

  @Override
  public long sizeBytes() {
    return sizeBytes;
  }

  @Override
  public boolean readOnly() {
    return readOnly;
  }

  @Override
  public void read(long offset, ByteBuffer target) throws BlkSnapException {
    gate.readLock().lock();
    try {
      requireInside(offset, target.remaining());
      requireOpen();
      io.read(offset, target, sizeBytes);
    } finally {
      gate.readLock().unlock();
    }
  }

  @Override
  public void write(long offset, ByteBuffer source) throws BlkSnapException {
    gate.readLock().lock();
    try {
      requireChangeable(offset, source.remaining());
      io.write(offset, source, sizeBytes);
    } finally {
      gate.readLock().unlock();
    }
  }

  @Override
  public void discard(long offset, long length) throws BlkSnapException {
    gate.readLock().lock();
    try {
      requireChangeable(offset, length);
      if (length > 0) {
        io.<Optional<ByteRange>>exclude(
            offset,
            length,
            () -> {
              space.discard(offset, length);
              return Optional.empty();
            });
      }
    } finally {
      gate.readLock().unlock();
    }
  }

  @Override
  public void writeZeroes(long offset, long length, boolean noHole) throws BlkSnapException {
    gate.readLock().lock();
    try {
      requireChangeable(offset, length);
      if (length == 0) {
        return;
      }
      Optional<ByteRange> done =
          io.exclude(offset, length, () -> space.zero(offset, length, noHole));
      long end = offset + length;
      writeZeroBytes(offset, done.map(ByteRange::offset).orElse(end));
      writeZeroBytes(done.map(ByteRange::end).orElse(end), end);
    } finally {
      gate.readLock().unlock();
    }
  }

  @Override
  public boolean zeroesFast(boolean noHole) {
    gate.readLock().lock();
    try {
      return !closed && !readOnly && space.zeroesFast(noHole);
    } finally {
      gate.readLock().unlock();
    }
  }

  private void writeZeroBytes(long from, long end) throws BlkSnapException {
    for (long at = from; at < end; ) {
      int count = (int) Math.min(ZEROES.capacity(), end - at);
      io.write(at, ZEROES.slice(0, count), sizeBytes);
      at += count;
    }
  }

  @Override
  public void flush() throws BlkSnapException {
    gate.readLock().lock();
    try {
      requireOpen();
      flushes.flush();
    } finally {
      gate.readLock().unlock();
    }
  }

  /**
   * Makes everything durable, the times of the file too, which a {@link #flush} may leave behind;
   * needed by who compares them after a power loss.
   */
  public void sync() throws BlkSnapException {
    gate.readLock().lock();
    try {
      requireOpen();
      flushes.flushFully();
    } finally {
      gate.readLock().unlock();
    }
  }

  @Override
  public List<Extent> allocation(long offset, long length, int maxExtents) throws BlkSnapException {
    if (length <= 0 || maxExtents <= 0) {
      throw new IllegalArgumentException(maxExtents + " extents of " + length + " bytes");
    }
    gate.readLock().lock();
    try {
      requireInside(offset, length);
      requireOpen();
      return space.allocation(offset, length, maxExtents);
    } finally {
      gate.readLock().unlock();
    }
  }

  /**
   * Makes a regular file longer, by a hole, or shorter; a size that it has already is only taken
   * over, of a block device or a read-only file as well. Calls in flight end first; durable after a
   * {@link #flush}.
   *
   * @throws BlkSnapException {@code EINVAL} when the size is not a positive multiple of 512, {@code
   *     ENOTSUP} on a block device, {@code EPERM} when read-only
   */
  @Override
  public void resize(long newSizeBytes) throws BlkSnapException {
    gate.writeLock().lock();
    try {
      requireOpen();
      if (newSizeBytes <= 0 || newSizeBytes % SECTOR_BYTES != 0) {
        throw new BlkSnapException(
            Errno.EINVAL,
            "new size "
                + newSizeBytes
                + " of "
                + file
                + " is not a positive multiple of "
                + SECTOR_BYTES);
      }
      if (newSizeBytes != presentBytes()) {
        requireChangeable(0, 0);
        space.resize(newSizeBytes);
      }
      sizeBytes = newSizeBytes;
    } finally {
      gate.writeLock().unlock();
    }
  }

  /** Whole sectors that the file or device has by now, in bytes. */
  private long presentBytes() throws BlkSnapException {
    long bytes = file.size();
    return bytes - bytes % SECTOR_BYTES;
  }

  /**
   * How many bytes the file or device has more than is served, since others changed it; negative
   * when it has fewer.
   */
  public long surplusBytes() throws BlkSnapException {
    gate.readLock().lock();
    try {
      requireOpen();
      return presentBytes() - sizeBytes;
    } finally {
      gate.readLock().unlock();
    }
  }

  private void requireChangeable(long offset, long length) throws BlkSnapException {
    requireInside(offset, length);
    requireOpen();
    if (readOnly) {
      throw new BlkSnapException(Errno.EPERM, file + " is open read-only");
    }
  }

  private void requireInside(long offset, long length) {
    Objects.checkFromIndexSize(offset, length, sizeBytes);
  }

  private void requireOpen() throws BlkSnapException {
    if (closed) {
      throw new BlkSnapException(Errno.ESHUTDOWN, file + " is closed already");
    }
  }

  /** Waits for calls in flight and lets go of the file; flushes nothing. Twice is harmless. */
  @Override
  public void close() throws BlkSnapException {
    gate.writeLock().lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      try (bounce;
          file) {
        io.close();
      }
    } finally {
      gate.writeLock().unlock();
    }
  }

  @Override
  public String toString() {
    return file.toString();
  }
}
