package blksnap.linux;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.sector.ByteRange;
import java.io.Closeable;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;

/**
 * An open file, block device or directory: its descriptor, owned until {@link #close}. Offsets and
 * lengths are bytes.
 *
 * <p>Every refusal is a {@link BlkSnapException} with the kernel's errno and a sentence that names
 * the path and the values; {@code ESHUTDOWN} after close. Safe from many threads: {@code close}
 * waits for calls in flight, so none of them can reach a descriptor number that already belongs to
 * another file. An interrupted thread finishes its call.
 *
 * <p>The {@link Machine} that a path belongs to opens its files; there is one kind of them at a
 * time, so a call costs no more than if it were final.
 */
public abstract class NativeFile implements Closeable {
  /** How to open; exactly one of the first three. */
  public enum Flag {
    READ_ONLY,
    READ_WRITE,
    /**
     * Only to ask what it is and to {@link #reopen} it: needs no permission and has no side effect
     * on a device.
     */
    IDENTIFY,
    /**
     * Claim a block device: {@code EBUSY} while it is mounted or claimed elsewhere. No effect on a
     * file.
     */
    EXCL,
    /** Make the file, with mode 0600, when it is not there. */
    CREATE,
    /** Make the file, with mode 0600; {@code EEXIST} when there is one. */
    CREATE_NEW,
    /** Refuse a symbolic link in the last place of the path with {@code EINVAL}. */
    NOFOLLOW,
    /** Go past the page cache; the caller sees to alignment. */
    DIRECT
  }

  /** Memory that is a file's content. */
  public interface Mapping extends Closeable {
    /** Using it after {@link #close} throws {@link IllegalStateException}. */
    MemorySegment segment();

    /** Makes what was stored to the range, which is not empty, durable. */
    void force(long offset, long length) throws BlkSnapException;

    /**
     * Makes every page dirty without changing it, beside stores of others. When a sync has failed
     * the kernel takes the pages for clean though they never reached the disk, and would say of the
     * next sync that all is well; after this it has to write them again.
     */
    void dirty();

    /** Unmaps; twice is harmless. */
    @Override
    void close();
  }

  /** For the machines that open files. */
  protected NativeFile() {}

  /** Opens {@code path}; the descriptor is not handed on to programs that are started. */
  public static NativeFile open(Path path, Set<Flag> flags) throws BlkSnapException {
    return Machine.of(path).open(path, flags);
  }

  /** Opens the very same file once more, whatever its path leads to by now. */
  public abstract NativeFile reopen(Set<Flag> flags) throws BlkSnapException;

  /** The path it was opened by. */
  public abstract Path path();

  /**
   * Locks the file against every other opener that locks it, in this process too; freed by {@link
   * #close}, or by the kernel when the process ends.
   *
   * @return whether it is locked now; false when another holds it
   */
  public abstract boolean tryLockExclusive() throws BlkSnapException;

  public abstract FileStatus stat() throws BlkSnapException;

  /** What is known of the block device. */
  public DiskFacts diskFacts() throws BlkSnapException {
    return DiskFacts.of(stat().rdevice());
  }

  /** Bytes that an unprivileged user can still write to the file system this is on. */
  public abstract long freeBytes() throws BlkSnapException;

  /**
   * Reads from {@code offset} on into {@code target}, whose position moves by what was read.
   *
   * @param target a direct buffer
   * @return bytes read, may be fewer than asked for; 0 at the end of the file
   */
  public abstract int read(long offset, ByteBuffer target) throws BlkSnapException;

  /**
   * Writes {@code source} at {@code offset}; its position moves by what was written.
   *
   * @param source a direct buffer
   * @return bytes written, may be fewer than asked for
   */
  public abstract int write(long offset, ByteBuffer source) throws BlkSnapException;

  /**
   * First byte at or after {@code offset} that is not in a hole; empty when only a hole is left, or
   * nothing.
   */
  public abstract OptionalLong nextData(long offset) throws BlkSnapException;

  /**
   * First byte at or after {@code offset} that is in a hole, the end of the file being one; empty
   * at or beyond the end.
   */
  public abstract OptionalLong nextHole(long offset) throws BlkSnapException;

  /**
   * Gives the space back; the range reads as zeroes, the size stays. {@code ENOTSUP} where files
   * have no holes.
   */
  public abstract void punchHole(long offset, long length) throws BlkSnapException;

  /**
   * Zeroes the range and keeps its space allocated; the size stays. {@code ENOTSUP} on some file
   * systems.
   */
  public abstract void zeroRange(long offset, long length) throws BlkSnapException;

  /** Allocates the space of the range, content untouched; the file grows to cover it. */
  public abstract void allocate(long offset, long length) throws BlkSnapException;

  /** Sets the length of a regular file; a part that is added is a hole. */
  public abstract void truncate(long bytes) throws BlkSnapException;

  /**
   * Asks the kernel to begin to write what the range, which is not empty, has in memory only, so
   * that a later sync has less to do. Waits at most until the disk takes it, and promises nothing.
   */
  public void startWriting(long offset, long length) throws BlkSnapException {}

  /** Makes the content durable, and of the attributes what is needed to read it. */
  public abstract void dataSync() throws BlkSnapException;

  /** Makes content and attributes durable; of a directory, its entries. */
  public abstract void sync() throws BlkSnapException;

  /** Size of a block device. */
  public abstract long blockDeviceBytes() throws BlkSnapException;

  /** Smallest unit that a block device can be addressed in. */
  public abstract int logicalBlockBytes() throws BlkSnapException;

  /** Smallest unit that a block device writes without reading first. */
  public abstract int physicalBlockBytes() throws BlkSnapException;

  /** Whether the kernel refuses writes to the block device. */
  public abstract boolean blockDeviceReadOnly() throws BlkSnapException;

  /**
   * Tells a block device that the content is no longer needed; aligned to {@link
   * #logicalBlockBytes}.
   */
  public abstract void blockDiscard(long offset, long length) throws BlkSnapException;

  /** Zeroes a part of a block device; aligned to {@link #logicalBlockBytes}. */
  public abstract void blockZeroOut(long offset, long length) throws BlkSnapException;

  /** Bytes of a regular file or of a block device. */
  public long size() throws BlkSnapException {
    FileStatus status = stat();
    return status.isBlockDevice() ? blockDeviceBytes() : status.sizeBytes();
  }

  /**
   * Maps the first {@code bytes} of a regular file, shared; the mapping outlives {@link #close}.
   *
   * @throws BlkSnapException {@code ENOMEM} when it cannot be mapped
   */
  public abstract Mapping map(long bytes) throws BlkSnapException;

  /**
   * Makes the file system that this is on rest: what was written is on its disk and complete, and
   * every change waits until {@link #thawFileSystem}. Needs root; may take as long as its disk
   * does.
   *
   * @throws BlkSnapException {@code EBUSY} when it is frozen already, {@code ENOTSUP} when it
   *     cannot be, {@code EPERM} without the right
   */
  public void freezeFileSystem() throws BlkSnapException {
    throw new BlkSnapException(Errno.ENOTSUP, "the file system of " + this + " cannot be frozen");
  }

  /**
   * Where the data of a file lies on the device that its file system is on, once all that was
   * written so far has its place there.
   *
   * @return runs of bytes of that device, in the order of the file; holes have none
   * @throws BlkSnapException {@code ENOTSUP} when the file system does not tell, or has changed the
   *     data (compressed, encrypted) so that it has no place of its own; {@code EFBIG} for more
   *     than a million runs
   */
  public List<ByteRange> extents() throws BlkSnapException {
    throw new BlkSnapException(Errno.ENOTSUP, "where " + this + " lies is not known");
  }

  /**
   * Lets the file system that this is on go on.
   *
   * @return false when it was not frozen
   */
  public boolean thawFileSystem() throws BlkSnapException {
    return false;
  }

  /**
   * Waits for calls in flight and gives up the descriptor, its lock and its claim; twice is
   * harmless.
   */
  @Override
  public abstract void close() throws BlkSnapException;
}
