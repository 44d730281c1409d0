package blksnap.nbd;

import blksnap.device.BlockDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** A device with a bug: it does not fill the buffer of a read. */
record LazyDevice(BlockDevice inner) implements BlockDevice {
  @Override
  public long sizeBytes() {
    return inner.sizeBytes();
  }

  @Override
  public boolean readOnly() {
    return false;
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    int limit = target.limit();
    target.limit(limit - 1);
    inner.read(offset, target);
    target.limit(limit);
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
