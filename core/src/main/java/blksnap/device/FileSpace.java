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
  /** Distance from the end at which {@link #punches} tries, beyond anything that is served. */
  private static final long TRIAL_DISTANCE_BYTES = 1 << 20;

  private static final long TRIAL_BYTES = 4096;

  private final NativeFile file;

  /** Whether holes can be punched, once that is known; asked for again when it could not be. */
  private volatile Optional<Boolean> punches = Optional.empty();

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

  /** A hole is punched at once; space that stays allocated is written by some file systems. */
  @Override
  public boolean zeroesFast(boolean noHole) {
    if (noHole) {
      return false;
    }
    if (punches.isEmpty()) {
      try {
        punches = Optional.of(triesPunching());
      } catch (BlkSnapException _) {
        return false;
      }
    }
    return punches.orElse(false);
  }

  /** By a hole behind the end, where there is nothing that could become one. */
  private boolean triesPunching() throws BlkSnapException {
    long behind = Math.ceilDiv(file.size(), TRIAL_BYTES) * TRIAL_BYTES + TRIAL_DISTANCE_BYTES;
    return supported(() -> file.punchHole(behind, TRIAL_BYTES));
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
