package blksnap.device;

import blksnap.device.BlockDevice.Extent;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.NativeFile;
import blksnap.sector.ByteRange;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** A regular file's space, where its file system knows holes. */
final class FileSpace implements Space {
  private final NativeFile file;

  FileSpace(NativeFile file) {
    this.file = file;
  }

  @Override
  public void discard(long offset, long length) throws BlkSnapException {
    supported(() -> file.punchHole(offset, length));
  }

  @Override
  public Optional<ByteRange> zero(long offset, long length, boolean noHole)
      throws BlkSnapException {
    boolean zeroed = !noHole && supported(() -> file.punchHole(offset, length));
    zeroed = zeroed || supported(() -> file.zeroRange(offset, length));
    return zeroed ? Optional.of(new ByteRange(offset, length)) : Optional.empty();
  }

  /** Whether the file system could do it; any other failure is thrown. */
  private static boolean supported(Step step) throws BlkSnapException {
    try {
      step.run();
      return true;
    } catch (BlkSnapException e) {
      if (e.errno() == Errno.ENOTSUP || e.errno() == Errno.ENOSYS) {
        return false;
      }
      throw e;
    }
  }

  @Override
  public List<Extent> allocation(long offset, long length, int maxExtents) throws BlkSnapException {
    var extents = new ArrayList<Extent>();
    long end = offset + length;
    for (long at = offset; at < end && extents.size() < maxExtents; ) {
      OptionalLong found = file.nextData(at);
      if (found.isEmpty() && file.size() < end) {
        // Cut short by others: what is beyond the end is lost, and not to be taken for zeroes.
        extents.add(new Extent(end - at, false));
        return extents;
      }
      long data = clip(found, end);
      long hole = data > at ? data : clip(file.nextHole(at), end);
      // Data became a hole between the two questions: data is always a safe answer.
      long next = hole > at ? hole : end;
      extents.add(new Extent(next - at, data > at));
      at = next;
    }
    return extents;
  }

  private static long clip(OptionalLong found, long end) {
    return Math.min(end, found.orElse(end));
  }

  @Override
  public void resize(long bytes) throws BlkSnapException {
    file.truncate(bytes);
  }

  /** A call that a file system may not support. */
  @FunctionalInterface
  private interface Step {
    void run() throws BlkSnapException;
  }
}
