package blksnap.testing;

import blksnap.device.BlockDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** Hands every call on, for those that change one of them. */
public class DelegatingDevice implements BlockDevice {
  private final BlockDevice inner;

  protected DelegatingDevice(BlockDevice inner) {
    this.inner = inner;
  }

  @Override
  public long sizeBytes() {
    return inner.sizeBytes();
  }

  @Override
  public boolean readOnly() {
    return inner.readOnly();
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    inner.read(offset, target);
  }

  @Override
  public void write(long offset, ByteBuffer source) throws IOException {
    inner.write(offset, source);
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    inner.discard(offset, length);
  }

  @Override
  public void writeZeroes(long offset, long length, boolean noHole) throws IOException {
    inner.writeZeroes(offset, length, noHole);
  }

  @Override
  public void flush() throws IOException {
    inner.flush();
  }

  @Override
  public List<Extent> allocation(long offset, long length, int maxExtents) throws IOException {
    return inner.allocation(offset, length, maxExtents);
  }

  @Override
  public void close() throws IOException {
    inner.close();
  }
}
