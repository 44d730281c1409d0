package blksnap.sim.machine;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.DiskFacts;
import blksnap.linux.FileStatus;
import blksnap.linux.NativeFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.Set;

/** An open file or directory of a {@link SimMachine}. */
final class SimFile extends NativeFile {
  private static final int REGULAR_FILE = 0x8180;
  private static final int DIRECTORY = 0x41c0;
  private static final int BLOCK_DEVICE = 0x6180;
  private static final int LOGICAL_BLOCK_BYTES = 512;

  /** Of the numbers of block devices. */
  private static final long MAJOR = 8 << 8;

  private final SimMachine machine;
  private final Inode inode;
  private final SimPath path;
  private final Set<Flag> flags;
  private boolean closed;

  SimFile(SimMachine machine, Inode inode, SimPath path, Set<Flag> flags) {
    this.machine = machine;
    this.inode = inode;
    this.path = path;
    this.flags = flags;
  }

  private interface Effect<T> {
    T run() throws BlkSnapException;
  }

  private <T> T call(Call call, long offset, long length, Effect<T> effect)
      throws BlkSnapException {
    requireOpen();
    try {
      if (call == Call.READ && inode.data().isKept(offset, length)) {
        machine.pass(call, inode.fileClass, offset, length);
      } else {
        machine.enter(call, inode.fileClass, offset, length);
      }
    } catch (BlkSnapException e) {
      throw new BlkSnapException(e.errno(), call + " of " + path + ": " + e.getMessage());
    }
    requireOpen();
    try {
      return effect.run();
    } finally {
      machine.leave();
    }
  }

  private void requireOpen() throws BlkSnapException {
    if (closed) {
      throw new BlkSnapException(Errno.ESHUTDOWN, path + " is closed already");
    }
  }

  private void requireWritable() throws BlkSnapException {
    if (!flags.contains(Flag.READ_WRITE)) {
      throw new BlkSnapException(Errno.EINVAL, path + " is not open for that");
    }
  }

  @Override
  public NativeFile reopen(Set<Flag> wanted) throws BlkSnapException {
    return call(Call.OPEN, 0, 0, () -> new SimFile(machine, inode, path, wanted));
  }

  @Override
  public Path path() {
    return path;
  }

  @Override
  public boolean tryLockExclusive() throws BlkSnapException {
    return call(
        Call.LOCK,
        0,
        0,
        () -> {
          if (inode.lockedBy != null && inode.lockedBy != this) {
            return false;
          }
          inode.lockedBy = this;
          return true;
        });
  }

  @Override
  public FileStatus stat() throws BlkSnapException {
    return call(
        Call.STAT,
        0,
        0,
        () ->
            new FileStatus(
                1,
                inode.number,
                inode.disk ? MAJOR + inode.number : 0,
                inode.isDirectory() ? DIRECTORY : inode.disk ? BLOCK_DEVICE : REGULAR_FILE,
                inode.isDirectory() || inode.disk ? 0 : inode.data().size(),
                inode.isDirectory() ? 0 : inode.data().allocatedBytes(),
                inode.modifiedNanos,
                inode.changedNanos,
                inode.bornNanos,
                0,
                0));
  }

  @Override
  public DiskFacts diskFacts() throws BlkSnapException {
    return call(
        Call.STAT,
        0,
        0,
        () ->
            inode.disk
                ? new DiskFacts(
                    "serial " + inode.number,
                    machine.boots(),
                    inode.data().writtenPages() * (Content.PAGE / Content.SECTOR),
                    false)
                : DiskFacts.NONE);
  }

  @Override
  public long freeBytes() throws BlkSnapException {
    return call(Call.STAT, 0, 0, machine::freeBytes);
  }

  @Override
  public int read(long offset, ByteBuffer target) throws BlkSnapException {
    int wanted = target.remaining();
    return call(
        Call.READ,
        offset,
        wanted,
        () -> {
          long left = Math.max(0, inode.data().size() - offset);
          int count = machine.shorten((int) Math.min(wanted, left), inode);
          byte[] bytes = new byte[count];
          inode.data().read(offset, bytes, count);
          target.put(bytes);
          return count;
        });
  }

  @Override
  public int write(long offset, ByteBuffer source) throws BlkSnapException {
    requireWritable();
    int wanted = source.remaining();
    return call(
        Call.WRITE,
        offset,
        wanted,
        () -> {
          int count = machine.shorten(wanted, inode);
          byte[] bytes = new byte[count];
          source.get(bytes);
          inode.data().write(offset, bytes, count);
          machine.stamp(inode);
          return count;
        });
  }

  @Override
  public OptionalLong nextData(long offset) throws BlkSnapException {
    return call(
        Call.SEEK,
        offset,
        0,
        () -> {
          long found = inode.data().seek(offset, false);
          return found >= inode.data().size() ? OptionalLong.empty() : OptionalLong.of(found);
        });
  }

  @Override
  public OptionalLong nextHole(long offset) throws BlkSnapException {
    return call(
        Call.SEEK,
        offset,
        1,
        () ->
            offset >= inode.data().size()
                ? OptionalLong.empty()
                : OptionalLong.of(inode.data().seek(offset, true)));
  }

  private interface Step {
    void run();
  }

  private void change(Call call, long offset, long length, Step step) throws BlkSnapException {
    requireWritable();
    call(
        call,
        offset,
        length,
        () -> {
          step.run();
          machine.stamp(inode);
          return this;
        });
  }

  @Override
  public void punchHole(long offset, long length) throws BlkSnapException {
    change(Call.PUNCH, offset, length, () -> inode.data().zero(offset, length, false));
  }

  @Override
  public void zeroRange(long offset, long length) throws BlkSnapException {
    change(Call.ZERO, offset, length, () -> inode.data().zero(offset, length, true));
  }

  @Override
  public void allocate(long offset, long length) throws BlkSnapException {
    change(Call.ALLOCATE, offset, length, () -> inode.data().allocate(offset + length));
  }

  @Override
  public void truncate(long bytes) throws BlkSnapException {
    change(Call.TRUNCATE, bytes, 0, () -> inode.data().truncate(bytes));
  }

  @Override
  public void dataSync() throws BlkSnapException {
    sync();
  }

  @Override
  public void sync() throws BlkSnapException {
    try {
      call(
          Call.SYNC,
          0,
          0,
          () -> {
            if (inode.owesAnError) {
              inode.owesAnError = false;
              throw new BlkSnapException(Errno.EIO, "sync of " + path + " failed: pages were lost");
            }
            machine.sync(inode);
            return this;
          });
    } catch (BlkSnapException e) {
      if (!closed && !inode.isDirectory()) {
        inode.data().forget(0, Long.MAX_VALUE / 2);
      }
      throw e;
    }
  }

  private void requireDisk() throws BlkSnapException {
    if (!inode.disk) {
      throw new BlkSnapException(Errno.ENOTSUP, path + " is no block device");
    }
  }

  @Override
  public long blockDeviceBytes() throws BlkSnapException {
    requireDisk();
    return call(Call.STAT, 0, 0, () -> inode.data().size());
  }

  @Override
  public int logicalBlockBytes() throws BlkSnapException {
    requireDisk();
    return LOGICAL_BLOCK_BYTES;
  }

  @Override
  public int physicalBlockBytes() throws BlkSnapException {
    requireDisk();
    return Content.PAGE;
  }

  @Override
  public boolean blockDeviceReadOnly() throws BlkSnapException {
    requireDisk();
    return false;
  }

  @Override
  public void blockDiscard(long offset, long length) throws BlkSnapException {
    requireDisk();
    change(Call.PUNCH, offset, length, () -> inode.data().zero(offset, length, true));
  }

  @Override
  public void blockZeroOut(long offset, long length) throws BlkSnapException {
    requireDisk();
    change(Call.ZERO, offset, length, () -> inode.data().zero(offset, length, true));
  }

  @Override
  public Mapping map(long bytes) throws BlkSnapException {
    return call(Call.MAP, 0, bytes, () -> new SimMapping(bytes));
  }

  /** A view of the file's memory that ends when it is closed. */
  private final class SimMapping implements Mapping {
    private final Arena arena = Arena.ofShared();
    private final MemorySegment segment;

    @SuppressWarnings("restricted") // a view of memory that is longer than it
    SimMapping(long bytes) {
      this.segment = inode.data().map(bytes).reinterpret(bytes, arena, null);
    }

    @Override
    public MemorySegment segment() {
      return segment;
    }

    @Override
    public void force(long offset, long length) throws BlkSnapException {
      long first = offset & -Content.PAGE;
      try {
        machine.enter(Call.FORCE, inode.fileClass, offset, length);
      } catch (BlkSnapException e) {
        inode.data().forget(first, offset + length - first);
        throw new BlkSnapException(e.errno(), "msync of " + path + ": " + e.getMessage());
      }
      if (!arena.scope().isAlive()) {
        throw new IllegalStateException("Already closed");
      }
      inode.data().sync(first, offset + length - first);
      machine.synced();
      machine.leave();
    }

    @Override
    public void dirty() {
      inode.data().dirty();
    }

    @Override
    public void close() {
      if (arena.scope().isAlive()) {
        arena.close();
      }
    }
  }

  @Override
  public void close() {
    if (inode.lockedBy == this) {
      inode.lockedBy = null;
    }
    closed = true;
  }

  @Override
  public String toString() {
    return path.toString();
  }
}
