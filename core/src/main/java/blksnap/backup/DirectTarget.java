package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Closing;
import blksnap.error.Errno;
import blksnap.linux.FileStatus;
import blksnap.linux.NativeFile;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Writing past the page cache what nobody reads soon: the disk begins at once, no memory is filled,
 * and the sync at the end has little to do. Not for a file that is read meanwhile through the
 * cache.
 */
final class DirectTarget {
  /** What offset, length and memory are a multiple of; no file system asks for more than a page. */
  private static final int ALIGNMENT = 4096;

  /** Less is sooner copied into the cache than written to the disk one by one. */
  private static final int LEAST_BYTES = 1 << 16;

  private DirectTarget() {}

  /** Opens a file once more, if its file system has that for pages. */
  static Optional<NativeFile> of(NativeFile file) throws BlkSnapException {
    FileStatus status = file.stat();
    if (status.directOffsetAlignment() > ALIGNMENT || status.directMemoryAlignment() > ALIGNMENT) {
      return Optional.empty();
    }
    NativeFile direct;
    try {
      direct = file.reopen(Set.of(NativeFile.Flag.READ_WRITE, NativeFile.Flag.DIRECT));
    } catch (BlkSnapException e) {
      if (e.errno() != Errno.EINVAL && e.errno() != Errno.ENOTSUP) {
        throw e;
      }
      return Optional.empty();
    }
    try {
      // Some systems open what they cannot write; the file is empty or long, and stays as it is.
      direct.read(0, memory(ALIGNMENT));
      return Optional.of(direct);
    } catch (BlkSnapException | RuntimeException e) {
      Closing.after(e, List.of(direct));
      if (e instanceof BlkSnapException refused && refused.errno() == Errno.EINVAL) {
        return Optional.empty();
      }
      throw e;
    }
  }

  /** Direct memory that {@link #fits}. */
  static ByteBuffer memory(int bytes) {
    return ByteBuffer.allocateDirect(bytes + ALIGNMENT).alignedSlice(ALIGNMENT).slice(0, bytes);
  }

  /** Whether it may and should be written so. */
  static boolean fits(long offset, ByteBuffer source) {
    return source.remaining() >= LEAST_BYTES
        && ((offset | source.remaining()) & (ALIGNMENT - 1)) == 0
        && source.alignmentOffset(source.position(), ALIGNMENT) == 0;
  }
}
