package blksnap.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.sector.ByteRange;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** A file of the kernel: its descriptor. */
final class KernelFile extends NativeFile {
  private static final long OWNER_ONLY = 0600;

  /** The kernel's number for a request that a file does not know. */
  private static final int ENOTTY = 25;

  private static final MemorySegment EMPTY_NAME = Arena.global().allocate(1);

  private final int descriptor;
  private final Path path;

  /** Shared by calls, exclusive for close; guards {@link #closed}. */
  private final ReentrantReadWriteLock gate = new ReentrantReadWriteLock();

  private boolean closed;

  private KernelFile(int descriptor, Path path) {
    this.descriptor = descriptor;
    this.path = path;
  }

  /** Opens {@code path}; the descriptor is not handed on to programs that are started. */
  static KernelFile openAt(Path path, Set<Flag> flags) throws BlkSnapException {
    return open(path.toString(), path, flags);
  }

  @Override
  public NativeFile reopen(Set<Flag> flags) throws BlkSnapException {
    gate.readLock().lock();
    try {
      requireOpen();
      return open(descriptorPath().toString(), path, flags);
    } finally {
      gate.readLock().unlock();
    }
  }

  private static KernelFile open(String name, Path path, Set<Flag> flags) throws BlkSnapException {
    int bits = bits(flags);
    long opened;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment cName = arena.allocateFrom(name);
      opened =
          Native.repeat(s ->
              (int)
                  (long)
                      Calls.WITH_MEMORY.invokeExact(
                          Calls.OPENAT,
                          s,
                          (long) Calls.AT_FDCWD,
                          cName,
                          (long) bits,
                          OWNER_ONLY,
                          Calls.NO_MEMORY));
    }
    if (opened < 0) {
      throw Native.failure(opened, "cannot open " + path + purpose(flags));
    }
    return new KernelFile((int) opened, path);
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

  @Override
  public Path path() {
    return path;
  }

  /** Leads to this very file while it is open, even when its own path was renamed or removed. */
  Path descriptorPath() {
    return Path.of("/proc/self/fd/" + descriptor);
  }

  /** A channel to the same file with a descriptor of its own; it stays open when this is closed. */
  FileChannel openChannel(OpenOption... options) throws IOException {
    gate.readLock().lock();
    try {
      requireOpen();
      return FileChannel.open(descriptorPath(), options);
    } finally {
      gate.readLock().unlock();
    }
  }

  @Override
  public Mapping map(long bytes) throws BlkSnapException {
    return KernelMapping.of(this, bytes);
  }

  @Override
  public boolean tryLockExclusive() throws BlkSnapException {
    long result = call(Calls.FLOCK, Calls.LOCK_EXCLUSIVE_NOW);
    if (result == -Errno.EAGAIN.number()) {
      return false;
    }
    check(result, "cannot lock " + path);
    return true;
  }

  @Override
  public FileStatus stat() throws BlkSnapException {
    gate.readLock().lock();
    try {
      requireOpen();
      MemorySegment statx = Native.scratch();
      check(
          Native.repeat(s ->
              (int)
                  (long)
                      Calls.WITH_MEMORY.invokeExact(
                          Calls.STATX,
                          s,
                          (long) descriptor,
                          EMPTY_NAME,
                          Calls.AT_EMPTY_PATH,
                          Calls.STATX_WANTED,
                          statx)),
          "cannot stat " + path);
      return FileStatus.fromStatx(statx);
    } finally {
      gate.readLock().unlock();
    }
  }

  @Override
  public long freeBytes() throws BlkSnapException {
    gate.readLock().lock();
    try {
      requireOpen();
      MemorySegment statvfs = Native.scratch();
      check(
          Native.repeat(s ->
              (int)
                  (long)
                      Calls.WITH_MEMORY.invokeExact(
                          Calls.FSTATVFS, s, (long) descriptor, statvfs, 0L, 0L, Calls.NO_MEMORY)),
          "cannot ask for the free space of " + path);
      long fragmentBytes = statvfs.get(JAVA_LONG, 8);
      long availableFragments = statvfs.get(JAVA_LONG, 32);
      return Math.multiplyExact(fragmentBytes, availableFragments);
    } finally {
      gate.readLock().unlock();
    }
  }

  @Override
  public int read(long offset, ByteBuffer target) throws BlkSnapException {
    if (target.isReadOnly()) {
      throw new IllegalArgumentException("cannot read into a read-only buffer");
    }
    MemorySegment memory = direct(target);
    long wanted = memory.byteSize();
    long done = move(Calls.PREAD, memory, offset);
    if (done < 0) {
      throw Native.failure(
          done, "read of " + wanted + " bytes at " + offset + " from " + path + " failed");
    }
    target.position(target.position() + (int) done);
    return (int) done;
  }

  @Override
  public int write(long offset, ByteBuffer source) throws BlkSnapException {
    MemorySegment memory = direct(source);
    long wanted = memory.byteSize();
    long done = move(Calls.PWRITE, memory, offset);
    if (done < 0) {
      throw Native.failure(
          done, "write of " + wanted + " bytes at " + offset + " to " + path + " failed");
    }
    source.position(source.position() + (int) done);
    return (int) done;
  }

  /** Reads or writes; the count of bytes, or the negative of an errno. */
  private long move(MemorySegment function, MemorySegment memory, long offset)
      throws BlkSnapException {
    long wanted = memory.byteSize();
    return call(s ->
        (long)
            Calls.WITH_MEMORY.invokeExact(
                function, s, (long) descriptor, memory, wanted, offset, Calls.NO_MEMORY));
  }

  private static MemorySegment direct(ByteBuffer buffer) {
    if (!buffer.isDirect()) {
      throw new IllegalArgumentException("a heap buffer cannot be handed to the kernel");
    }
    return MemorySegment.ofBuffer(buffer);
  }

  @Override
  public OptionalLong nextData(long offset) throws BlkSnapException {
    return seek(offset, Calls.SEEK_DATA, "data");
  }

  @Override
  public OptionalLong nextHole(long offset) throws BlkSnapException {
    return seek(offset, Calls.SEEK_HOLE, "a hole");
  }

  private OptionalLong seek(long offset, int whence, String what) throws BlkSnapException {
    long found =
        call(s ->
            (long)
                Calls.WITH_NUMBERS.invokeExact(
                    Calls.LSEEK, s, descriptor, offset, (long) whence, 0L));
    if (found == -Errno.ENXIO.number()) {
      return OptionalLong.empty();
    }
    check(found, "cannot look for " + what + " from " + offset + " on in " + path);
    return OptionalLong.of(found);
  }

  @Override
  public void punchHole(long offset, long length) throws BlkSnapException {
    fallocate(
        Calls.FALLOC_PUNCH_HOLE | Calls.FALLOC_KEEP_SIZE, offset, length, "cannot punch a hole of");
  }

  @Override
  public void zeroRange(long offset, long length) throws BlkSnapException {
    fallocate(Calls.FALLOC_ZERO_RANGE | Calls.FALLOC_KEEP_SIZE, offset, length, "cannot zero");
  }

  @Override
  public void allocate(long offset, long length) throws BlkSnapException {
    fallocate(Calls.FALLOC_ALLOCATE, offset, length, "cannot allocate");
  }

  private void fallocate(int mode, long offset, long length, String refusal)
      throws BlkSnapException {
    check(call(Calls.FALLOCATE, mode, offset, length), refusal, offset, length);
  }

  @Override
  public void truncate(long bytes) throws BlkSnapException {
    check(
        call(Calls.FTRUNCATE, bytes),
        "cannot set the length of " + path + " to " + bytes + " bytes");
  }

  @Override
  public void startWriting(long offset, long length) throws BlkSnapException {
    check(
        call(Calls.SYNC_FILE_RANGE, offset, length, Calls.SYNC_FILE_RANGE_WRITE),
        "cannot begin to write",
        offset,
        length);
  }

  @Override
  public void dataSync() throws BlkSnapException {
    check(call(Calls.FDATASYNC), "sync of " + path + " failed");
  }

  @Override
  public void sync() throws BlkSnapException {
    check(call(Calls.FSYNC), "sync of " + path + " failed");
  }

  @Override
  public long blockDeviceBytes() throws BlkSnapException {
    return ask(Calls.BLKGETSIZE64, "size").get(JAVA_LONG, 0);
  }

  @Override
  public int logicalBlockBytes() throws BlkSnapException {
    return ask(Calls.BLKSSZGET, "logical block size").get(JAVA_INT, 0);
  }

  @Override
  public int physicalBlockBytes() throws BlkSnapException {
    return ask(Calls.BLKPBSZGET, "physical block size").get(JAVA_INT, 0);
  }

  @Override
  public boolean blockDeviceReadOnly() throws BlkSnapException {
    return ask(Calls.BLKROGET, "read-only flag").get(JAVA_INT, 0) != 0;
  }

  private MemorySegment ask(long request, String what) throws BlkSnapException {
    MemorySegment answer = Native.scratch();
    answer.set(JAVA_LONG, 0, 0L);
    check(
        call(s -> (int) Calls.Ioctl.CALL.invokeExact(s, descriptor, request, answer)),
        "cannot ask " + path + " for its " + what);
    return answer;
  }

  @Override
  public void blockDiscard(long offset, long length) throws BlkSnapException {
    tell(Calls.BLKDISCARD, offset, length, "cannot discard");
  }

  @Override
  public void blockZeroOut(long offset, long length) throws BlkSnapException {
    tell(Calls.BLKZEROOUT, offset, length, "cannot zero");
  }

  private void tell(long request, long offset, long length, String refusal)
      throws BlkSnapException {
    MemorySegment range = Native.scratch();
    range.set(JAVA_LONG, 0, offset);
    range.set(JAVA_LONG, 8, length);
    check(
        call(s -> (int) Calls.Ioctl.CALL.invokeExact(s, descriptor, request, range)),
        refusal,
        offset,
        length);
  }

  @Override
  public List<ByteRange> extents() throws BlkSnapException {
    List<ByteRange> extents = new ArrayList<>();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment page = arena.allocate(ExtentPage.BYTES, Long.BYTES);
      long from = 0;
      boolean last = false;
      while (!last) {
        ExtentPage.ask(page, from);
        check(
            call(s -> (int) Calls.Ioctl.CALL.invokeExact(s, descriptor, Calls.FS_IOC_FIEMAP, page)),
            "cannot ask where " + path + " lies");
        int count = ExtentPage.count(page);
        for (int i = 0; i < count; i++) {
          extents.add(ExtentPage.place(page, i, path));
          from = ExtentPage.end(page, i);
        }
        last = count == 0 || ExtentPage.isLast(page, count - 1);
        if (extents.size() > ExtentPage.MAX_EXTENTS) {
          throw new BlkSnapException(
              Errno.EFBIG, path + " lies in more than " + ExtentPage.MAX_EXTENTS + " places");
        }
      }
    }
    return extents;
  }

  @Override
  public void freezeFileSystem() throws BlkSnapException {
    long result = tellFileSystem(Calls.FIFREEZE);
    String refusal = "cannot freeze the file system at " + path;
    if (result == -ENOTTY) {
      throw new BlkSnapException(Errno.ENOTSUP, refusal + ": it does not support that");
    }
    if (result == -Errno.EBUSY.number()) {
      throw new BlkSnapException(Errno.EBUSY, refusal + ": it is frozen already, by another");
    }
    check(result, refusal);
  }

  @Override
  public boolean thawFileSystem() throws BlkSnapException {
    long result = tellFileSystem(Calls.FITHAW);
    if (result == -Errno.EINVAL.number()) {
      return false;
    }
    check(result, "cannot thaw the file system at " + path);
    return true;
  }

  private long tellFileSystem(long request) throws BlkSnapException {
    return call(
        s -> (int) Calls.Ioctl.CALL.invokeExact(s, descriptor, request, MemorySegment.NULL));
  }

  private long call(MemorySegment function) throws BlkSnapException {
    return call(function, 0);
  }

  private long call(MemorySegment function, long only) throws BlkSnapException {
    return call(function, only, 0, 0);
  }

  /** Calls a function of numbers whose result is an {@code int}. */
  private long call(MemorySegment function, long first, long second, long third)
      throws BlkSnapException {
    return call(s -> number(function, s, first, second, third));
  }

  private int number(
      MemorySegment function, MemorySegment state, long first, long second, long third)
      throws Throwable {
    return (int)
        (long) Calls.WITH_NUMBERS.invokeExact(function, state, descriptor, first, second, third);
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
      long result = Native.once(s -> number(Calls.CLOSE, s, 0, 0, 0));
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
