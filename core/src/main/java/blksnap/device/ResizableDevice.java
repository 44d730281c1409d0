package blksnap.device;

import java.io.IOException;

/** A device whose size can change. */
public interface ResizableDevice extends BlockDevice {
  /**
   * Makes the device larger, with zeroes, or smaller.
   *
   * @param newSizeBytes a positive multiple of 512
   * @throws blksnap.error.BlkSnapException {@code EINVAL} for another size, {@code ENOTSUP} where
   *     it cannot be changed
   */
  void resize(long newSizeBytes) throws IOException;
}
