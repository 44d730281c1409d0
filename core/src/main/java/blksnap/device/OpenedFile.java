package blksnap.device;

import blksnap.buffer.BufferPool;
import blksnap.device.FileBlockDevice.Cache;
import blksnap.device.FileBlockDevice.Options;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.FileStatus;
import blksnap.linux.NativeFile;
import blksnap.linux.NativeFile.Flag;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * A file that was looked at, opened and claimed, with all that depends on its kind; the one who
 * asked closes {@code io} and {@code file}.
 *
 * @param file holds the lock or the claim; never open for direct I/O
 * @param sizeBytes whole sectors of the file, in bytes
 * @param warnings sentences for the user
 */
record OpenedFile(NativeFile file, FileIo io, Space space, long sizeBytes, List<String> warnings) {
  /** Most that is taken for a file's direct I/O unit when the kernel does not tell it. */
  private static final int PRESUMED_DIRECT_UNIT = 4096;

  private static final String READ_ONLY_HINT = "attach it with --read-only";

  /**
   * Looks first, through a descriptor that has no side effect, and then opens the very file that
   * was looked at.
   */
  static OpenedFile open(Path path, Options options, int leastDirectUnit, BufferPool bounce)
      throws BlkSnapException {
    try (NativeFile found = NativeFile.open(path, Set.of(Flag.IDENTIFY))) {
      FileStatus status = found.stat();
      requireDisk(path, status);
      NativeFile file = claim(found, status, options);
      boolean done = false;
      try {
        OpenedFile opened = describe(file, options, leastDirectUnit, bounce);
        done = true;
        return opened;
      } finally {
        if (!done) {
          file.close();
        }
      }
    }
  }

  private static void requireDisk(Path path, FileStatus status) throws BlkSnapException {
    if (status.isDirectory()) {
      throw new BlkSnapException(
          Errno.EISDIR, path + " is a directory, not a file or block device");
    }
    if (!status.isRegularFile() && !status.isBlockDevice()) {
      throw new BlkSnapException(
          Errno.EINVAL, path + " is " + status.kind() + ", not a file or block device");
    }
  }

  private static NativeFile claim(NativeFile found, FileStatus status, Options options)
      throws BlkSnapException {
    Set<Flag> flags = EnumSet.of(access(options));
    if (status.isBlockDevice()) {
      flags.add(Flag.EXCL);
    }
    try {
      return found.reopen(flags);
    } catch (BlkSnapException e) {
      throw switch (e.errno()) {
        case EBUSY ->
            new BlkSnapException(
                Errno.EBUSY, found + " is mounted, attached or otherwise in use", e);
        case EACCES, EPERM, EROFS -> options.readOnly() ? e : e.withHint(READ_ONLY_HINT);
        default -> e;
      };
    }
  }

  private static Flag access(Options options) {
    return options.readOnly() ? Flag.READ_ONLY : Flag.READ_WRITE;
  }

  private static OpenedFile describe(
      NativeFile file, Options options, int leastDirectUnit, BufferPool bounce)
      throws BlkSnapException {
    FileStatus status = file.stat();
    if (status.isRegularFile() && !file.tryLockExclusive()) {
      throw new BlkSnapException(
          Errno.EBUSY, file + " is locked: attached already, or in use by another program");
    }
    if (status.isBlockDevice() && !options.readOnly() && file.blockDeviceReadOnly()) {
      throw new BlkSnapException(Errno.EROFS, file + " is a read-only block device")
          .withHint(READ_ONLY_HINT);
    }
    long wholeBytes = file.size(); // asked only now: until the lock, another could still resize it
    long sizeBytes = wholeBytes - wholeBytes % FileBlockDevice.SECTOR_BYTES;
    if (sizeBytes == 0) {
      throw new BlkSnapException(
          Errno.EINVAL,
          file + " has " + wholeBytes + " bytes; a disk has at least one sector of 512");
    }
    Space space = status.isBlockDevice() ? BlockDeviceSpace.of(file) : new FileSpace(file);
    FileIo io = new CachedIo(file, bounce);
    if (options.cache() == Cache.DIRECT) {
      io = directIo(file, status, options, leastDirectUnit, bounce);
    }
    return new OpenedFile(file, io, space, sizeBytes, warnings(file, wholeBytes));
  }

  private static FileIo directIo(
      NativeFile file, FileStatus status, Options options, int leastUnit, BufferPool bounce)
      throws BlkSnapException {
    int unit = Math.max(leastUnit, directUnit(file, status));
    if (Integer.bitCount(unit) != 1 || unit > FileIo.BOUNCE_BYTES) {
      throw new BlkSnapException(
          Errno.ENOTSUP, file + " wants direct I/O in units of " + unit + " bytes");
    }
    int memoryAlignment =
        status.directMemoryAlignment() > 0 ? status.directMemoryAlignment() : unit;
    NativeFile direct;
    try {
      direct = file.reopen(EnumSet.of(access(options), Flag.DIRECT));
    } catch (BlkSnapException e) {
      if (e.errno() != Errno.EINVAL) {
        throw e;
      }
      throw new BlkSnapException(Errno.ENOTSUP, file + " can not be opened for direct I/O", e)
          .withHint("use --cache writeback");
    }
    return new DirectIo(direct, new CachedIo(file, bounce), bounce, unit, memoryAlignment);
  }

  private static int directUnit(NativeFile file, FileStatus status) throws BlkSnapException {
    if (status.isBlockDevice()) {
      return file.logicalBlockBytes();
    }
    return status.directOffsetAlignment() > 0
        ? status.directOffsetAlignment()
        : PRESUMED_DIRECT_UNIT;
  }

  private static List<String> warnings(NativeFile file, long wholeBytes) {
    long odd = wholeBytes % FileBlockDevice.SECTOR_BYTES;
    if (odd == 0) {
      return List.of();
    }
    return List.of(
        file
            + " has "
            + wholeBytes
            + " bytes, not a multiple of 512: its last "
            + odd
            + " bytes are not part of the disk");
  }
}
