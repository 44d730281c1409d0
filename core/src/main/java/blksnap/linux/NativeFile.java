package blksnap.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * An open file, block device or directory: its descriptor, owned until {@link #close}. Offsets and
 * lengths are bytes.
 *
 * <p>Every refusal is a {@link BlkSnapException} with the kernel's errno and a sentence that names
 * the path and the values; {@code ESHUTDOWN} after close. Safe from many threads: {@code close}
 * waits for calls in flight, so none of them can reach a descriptor number that already belongs to
 * another file. An interrupted thread finishes its call.
 */
public final class NativeFile implements Closeable {
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

  private static final int OWNER_ONLY = 0600;

  private final int descriptor;
  private final Path path;

  /** Shared by calls, exclusive for close; guards {@link #closed}. */
  private final ReentrantReadWriteLock gate = new ReentrantReadWriteLock();

  private boolean closed;

  private NativeFile(int descriptor, Path path) {
    this.descriptor = descriptor;
    this.path = path;
  }

  /** Opens {@code path}; the descriptor is not handed on to programs that are started. */
  public static NativeFile open(Path path, Set<Flag> flags) throws BlkSnapException {
    return open(path.toString(), path, flags);
  }

  /** Opens the very same file once more, whatever its path leads to by now. */
  public NativeFile reopen(Set<Flag> flags) throws BlkSnapException {
    gate.readLock().lock();
    try {
      requireOpen();
      return open(descriptorPath().toString(), path, flags);
    } finally {
      gate.readLock().unlock();
    }
  }

  private static NativeFile open(String name, Path path, Set<Flag> flags) throws BlkSnapException {
    int bits = bits(flags);
    long opened;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment cName = arena.allocateFrom(name);
      opened = Native.repeat(s -> (int) Calls.OPEN.invokeExact(s, cName, bits, OWNER_ONLY));
    }
    if (opened < 0) {
      throw Native.failure(opened, "cannot open " + path + purpose(flags));
    }
    return new NativeFile((int) opened, path);
  }

  private static int bits(Set<Flag> flags) {
    int bits = Calls.O_CLOEXEC;
    int modes = 0;
    for (Flag flag : flags) {
      switch (flag) {
        case READ_ONLY, READ_WRITE, IDENTIFY -> modes++;
        default -> {}
      }
      bits |=
          switch (flag) {
            case READ_ONLY -> Calls.O_RDONLY;
            case READ_WRITE -> Calls.O_RDWR;
            case IDENTIFY -> Calls.O_PATH;
            case EXCL -> Calls.O_EXCL;
            case CREATE -> Calls.O_CREAT;
            case CREATE_NEW -> Calls.O_CREAT | Calls.O_EXCL;
            case NOFOLLOW -> Calls.O_NOFOLLOW;
            case DIRECT -> Calls.O_DIRECT;
          };
    }
    if (modes != 1) {
      throw new IllegalArgumentException("one of read-only, read-write and identify, not " + flags);
    }
    if (flags.contains(Flag.EXCL) && flags.contains(Flag.CREATE)) {
      throw new IllegalArgumentException("to make a new file say CREATE_NEW, not " + flags);
    }
    return bits;
  }

  private static String purpose(Set<Flag> flags) {
    if (flags.contains(Flag.CREATE_NEW)) {
      return " as a new file";
    }
    return flags.contains(Flag.READ_WRITE) ? " for writing" : "";
  }

  /** The path it was opened by. */
  public Path path() {
    return path;
  }

  /** Leads to this very file while it is open, even when its own path was renamed or removed. */
  public Path descriptorPath() {
    return Path.of("/proc/self/fd/" + descriptor);
  }

  /** A channel to the same file with a descriptor of its own; it stays open when this is closed. */
  public FileChannel openChannel(OpenOption... options) throws IOException {
    gate.readLock().lock();
    try {
      requireOpen();
      return FileChannel.open(descriptorPath(), options);
    } finally {
      gate.readLock().unlock();
    }
  }

  /**
   * Locks the file against every other opener that locks it, in this process too; freed by {@link
   * #close}, or by the kernel when the process ends.
   *
   * @return whether it is locked now; false when another holds it
   */
  public boolean tryLockExclusive() throws BlkSnapException {
    long result = call(s -> (int) Calls.FLOCK.invokeExact(s, descriptor, Calls.LOCK_EXCLUSIVE_NOW));
    if (result == -Errno.EAGAIN.number()) {
      return false;
    }
    check(result, "cannot lock " + path);
    return true;
  }

  public FileStatus stat() throws BlkSnapException {
    gate.readLock().lock();
    try {
      requireOpen();
      MemorySegment statx = Native.scratch();
      int mask = Calls.STATX_BASIC_STATS | Calls.STATX_BTIME | Calls.STATX_DIOALIGN;
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment empty = arena.allocateFrom("");
        check(
            Native.repeat(s ->
                (int)
                    Calls.STATX.invokeExact(
                        s, descriptor, empty, Calls.AT_EMPTY_PATH, mask, statx)),
            "cannot stat " + path);
      }
      return FileStatus.fromStatx(statx);
    } finally {
      gate.readLock().unlock();
    }
  }

  /** Bytes of a regular file or of a block device. */
  public long size() throws BlkSnapException {
    FileStatus status = stat();
    return status.isBlockDevice() ? blockDeviceBytes() : status.sizeBytes();
  }

  /** Bytes that an unprivileged user can still write to the file system this is on. */
  public long freeBytes() throws BlkSnapException {
    gate.readLock().lock();
    try {
      requireOpen();
      MemorySegment statvfs = Native.scratch();
      check(
          Native.repeat(s -> (int) Calls.FSTATVFS.invokeExact(s, descriptor, statvfs)),
          "cannot ask for the free space of " + path);
      long fragmentBytes = statvfs.get(JAVA_LONG, 8);
      long availableFragments = statvfs.get(JAVA_LONG, 32);
      return Math.multiplyExact(fragmentBytes, availableFragments);
    } finally {
      gate.readLock().unlock();
    }
  }

  /**
   * Reads from {@code offset} on into {@code target}, whose position moves by what was read.
   *
   * @param target a direct buffer
   * @return bytes read, may be fewer than asked for; 0 at the end of the file
   */
  public int read(long offset, ByteBuffer target) throws BlkSnapException {
    if (target.isReadOnly()) {
      throw new IllegalArgumentException("cannot read into a read-only buffer");
    }
    MemorySegment memory = direct(target);
    long wanted = memory.byteSize();
    long done = call(s -> (long) Calls.PREAD.invokeExact(s, descriptor, memory, wanted, offset));
    if (done < 0) {
      throw Native.failure(
          done, "read of " + wanted + " bytes at " + offset + " from " + path + " failed");
    }
    target.position(target.position() + (int) done);
    return (int) done;
  }

  /**
   * Writes {@code source} at {@code offset}; its position moves by what was written.
   *
   * @param source a direct buffer
   * @return bytes written, may be fewer than asked for
   */
  public int write(long offset, ByteBuffer source) throws BlkSnapException {
    MemorySegment memory = direct(source);
    long wanted = memory.byteSize();
    long done = call(s -> (long) Calls.PWRITE.invokeExact(s, descriptor, memory, wanted, offset));
    if (done < 0) {
      throw Native.failure(
          done, "write of " + wanted + " bytes at " + offset + " to " + path + " failed");
    }
    source.position(source.position() + (int) done);
    return (int) done;
  }

  private static MemorySegment direct(ByteBuffer buffer) {
    if (!buffer.isDirect()) {
      throw new IllegalArgumentException("a heap buffer cannot be handed to the kernel");
    }
    return MemorySegment.ofBuffer(buffer);
  }

  /**
   * First byte at or after {@code offset} that is not in a hole; empty when only a hole is left, or
   * nothing.
   */
  public OptionalLong nextData(long offset) throws BlkSnapException {
    return seek(offset, Calls.SEEK_DATA, "data");
  }

  /**
   * First byte at or after {@code offset} that is in a hole, the end of the file being one; empty
   * at or beyond the end.
   */
  public OptionalLong nextHole(long offset) throws BlkSnapException {
    return seek(offset, Calls.SEEK_HOLE, "a hole");
  }

  private OptionalLong seek(long offset, int whence, String what) throws BlkSnapException {
    long found = call(s -> (long) Calls.LSEEK.invokeExact(s, descriptor, offset, whence));
    if (found == -Errno.ENXIO.number()) {
      return OptionalLong.empty();
    }
    check(found, "cannot look for " + what + " from " + offset + " on in " + path);
    return OptionalLong.of(found);
  }

  /**
   * Gives the space back; the range reads as zeroes, the size stays. {@code ENOTSUP} where files
   * have no holes.
   */
  public void punchHole(long offset, long length) throws BlkSnapException {
    fallocate(
        Calls.FALLOC_PUNCH_HOLE | Calls.FALLOC_KEEP_SIZE, offset, length, "cannot punch a hole of");
  }

  /**
   * Zeroes the range and keeps its space allocated; the size stays. {@code ENOTSUP} on some file
   * systems.
   */
  public void zeroRange(long offset, long length) throws BlkSnapException {
    fallocate(Calls.FALLOC_ZERO_RANGE | Calls.FALLOC_KEEP_SIZE, offset, length, "cannot zero");
  }

  /** Allocates the space of the range, content untouched; the file grows to cover it. */
  public void allocate(long offset, long length) throws BlkSnapException {
    fallocate(Calls.FALLOC_ALLOCATE, offset, length, "cannot allocate");
  }

  private void fallocate(int mode, long offset, long length, String refusal)
      throws BlkSnapException {
    check(
        call(s -> (int) Calls.FALLOCATE.invokeExact(s, descriptor, mode, offset, length)),
        refusal,
        offset,
        length);
  }

  /** Sets the length of a regular file; a part that is added is a hole. */
  public void truncate(long bytes) throws BlkSnapException {
    check(
        call(s -> (int) Calls.FTRUNCATE.invokeExact(s, descriptor, bytes)),
        "cannot set the length of " + path + " to " + bytes + " bytes");
  }

  /** Makes the content durable, and of the attributes what is needed to read it. */
  public void dataSync() throws BlkSnapException {
    check(
        call(s -> (int) Calls.FDATASYNC.invokeExact(s, descriptor)), "sync of " + path + " failed");
  }

  /** Makes content and attributes durable; of a directory, its entries. */
  public void sync() throws BlkSnapException {
    check(call(s -> (int) Calls.FSYNC.invokeExact(s, descriptor)), "sync of " + path + " failed");
  }

  /** Size of a block device. */
  public long blockDeviceBytes() throws BlkSnapException {
    return ask(Calls.BLKGETSIZE64, "size").get(JAVA_LONG, 0);
  }

  /** Smallest unit that a block device can be addressed in. */
  public int logicalBlockBytes() throws BlkSnapException {
    return ask(Calls.BLKSSZGET, "logical block size").get(JAVA_INT, 0);
  }

  /** Smallest unit that a block device writes without reading first. */
  public int physicalBlockBytes() throws BlkSnapException {
    return ask(Calls.BLKPBSZGET, "physical block size").get(JAVA_INT, 0);
  }

  /** Whether the kernel refuses writes to the block device. */
  public boolean blockDeviceReadOnly() throws BlkSnapException {
    return ask(Calls.BLKROGET, "read-only flag").get(JAVA_INT, 0) != 0;
  }

  private MemorySegment ask(long request, String what) throws BlkSnapException {
    MemorySegment answer = Native.scratch();
    answer.set(JAVA_LONG, 0, 0L);
    check(
        call(s -> (int) Calls.IOCTL.invokeExact(s, descriptor, request, answer)),
        "cannot ask " + path + " for its " + what);
    return answer;
  }

  /**
   * Tells a block device that the content is no longer needed; aligned to {@link
   * #logicalBlockBytes}.
   */
  public void blockDiscard(long offset, long length) throws BlkSnapException {
    tell(Calls.BLKDISCARD, offset, length, "cannot discard");
  }

  /** Zeroes a part of a block device; aligned to {@link #logicalBlockBytes}. */
  public void blockZeroOut(long offset, long length) throws BlkSnapException {
    tell(Calls.BLKZEROOUT, offset, length, "cannot zero");
  }

  private void tell(long request, long offset, long length, String refusal)
      throws BlkSnapException {
    MemorySegment range = Native.scratch();
    range.set(JAVA_LONG, 0, offset);
    range.set(JAVA_LONG, 8, length);
    check(
        call(s -> (int) Calls.IOCTL.invokeExact(s, descriptor, request, range)),
        refusal,
        offset,
        length);
  }

  private long call(Native.Call call) throws BlkSnapException {
    gate.readLock().lock();
    try {
      requireOpen();
      return Native.repeat(call);
    } finally {
      gate.readLock().unlock();
    }
  }

  private void requireOpen() throws BlkSnapException {
    if (closed) {
      throw new BlkSnapException(Errno.ESHUTDOWN, path + " is closed already");
    }
  }

  private static void check(long result, String sentence) throws BlkSnapException {
    if (result < 0) {
      throw Native.failure(result, sentence);
    }
  }

  private void check(long result, String refusal, long offset, long length)
      throws BlkSnapException {
    if (result < 0) {
      throw Native.failure(result, refusal + " " + length + " bytes at " + offset + " in " + path);
    }
  }

  /**
   * Waits for calls in flight and gives up the descriptor, its lock and its claim; twice is
   * harmless.
   */
  @Override
  public void close() throws BlkSnapException {
    gate.writeLock().lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      // Not repeated when interrupted: the number is free either way, and may be another file's by
      // then.
      long result = Native.once(s -> (int) Calls.CLOSE.invokeExact(s, descriptor));
      if (result < 0 && result != -Errno.EINTR.number()) {
        throw Native.failure(result, "close of " + path + " failed");
      }
    } finally {
      gate.writeLock().unlock();
    }
  }

  @Override
  public String toString() {
    return path.toString();
  }
}
