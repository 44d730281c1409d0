package blksnap.cbt;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.nio.file.Path;

/**
 * How a device is divided for tracking.
 *
 * @param capacityBytes size of the device, a positive multiple of 512
 * @param blockShift log2 of the bytes in a block
 */
public record CbtGeometry(long capacityBytes, int blockShift) {
  public CbtGeometry {
    if (capacityBytes <= 0 || (capacityBytes & 511) != 0) {
      throw new IllegalArgumentException("capacity of " + capacityBytes + " bytes");
    }
    if (blockShift < 9 || blockShift > 62) {
      throw new IllegalArgumentException("block shift " + blockShift);
    }
  }

  /**
   * What a file says of its map.
   *
   * @throws BlkSnapException {@code EBADMSG} when no device is divided like that
   */
  static CbtGeometry read(Path path, long capacityBytes, int blockShift) throws BlkSnapException {
    try {
      return new CbtGeometry(capacityBytes, blockShift);
    } catch (IllegalArgumentException e) {
      throw new BlkSnapException(
          Errno.EBADMSG, path + " is for a device that cannot be: " + e.getMessage(), e);
    }
  }

  /**
   * The smallest block, from {@code minimumShift} up in steps of one, at which the device has at
   * most {@code maximumCount} blocks.
   */
  public static CbtGeometry of(long capacityBytes, int minimumShift, long maximumCount) {
    int shift = minimumShift;
    while (count(capacityBytes, shift) > maximumCount) {
      shift++;
    }
    return new CbtGeometry(capacityBytes, shift);
  }

  public long blockBytes() {
    return 1L << blockShift;
  }

  /** Blocks; the last may be short. */
  public long blockCount() {
    return count(capacityBytes, blockShift);
  }

  private static long count(long bytes, int shift) {
    return ((bytes - 1) >>> shift) + 1;
  }
}
