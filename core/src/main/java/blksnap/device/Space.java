package blksnap.device;

import blksnap.device.BlockDevice.Extent;
import blksnap.error.BlkSnapException;
import blksnap.sector.ByteRange;
import java.util.List;
import java.util.Optional;

/**
 * The space under a disk, given up, zeroed and described without moving data. Ranges are checked
 * and not empty.
 */
sealed interface Space permits FileSpace, BlockDeviceSpace {
  /** Gives up what can be given up of the range; the content is as before or zeroes. */
  void discard(long offset, long length) throws BlkSnapException;

  /**
   * Makes the range, or as much as the kernel can, read as zeroes.
   *
   * @param noHole keep it allocated
   * @return the part that now does; empty when all of the range has to be written
   */
  Optional<ByteRange> zero(long offset, long length, boolean noHole) throws BlkSnapException;

  /** As {@link BlockDevice#zeroesFast}. */
  boolean zeroesFast(boolean noHole);

  /** As {@link BlockDevice#allocation}. */
  List<Extent> allocation(long offset, long length, int maxExtents) throws BlkSnapException;

  /** Changes the size, or {@code ENOTSUP}. */
  void resize(long bytes) throws BlkSnapException;
}
