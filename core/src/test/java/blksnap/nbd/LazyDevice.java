package blksnap.nbd;

import blksnap.device.BlockDevice;
import blksnap.testing.DelegatingDevice;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A device with a bug: it does not fill the buffer of a read. */
final class LazyDevice extends DelegatingDevice {
  LazyDevice(BlockDevice inner) {
    super(inner);
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    int limit = target.limit();
    target.limit(limit - 1);
    super.read(offset, target);
    target.limit(limit);
  }
}
