package blksnap.snapimage;

import blksnap.device.BlockDevice;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Objects;

/** The image of a snapshot that nothing is left of: every read and write fails with its cause. */
public final class LostImage implements BlockDevice {
  private final long sizeBytes;
  private final Errno cause;

  public LostImage(long sizeBytes, Errno cause) {
    this.sizeBytes = sizeBytes;
    this.cause = cause;
  }

  @Override
  public long sizeBytes() {
    return sizeBytes;
  }

  @Override
  public boolean readOnly() {
    return false;
  }

  private BlkSnapException lost(long offset, long length) {
    Objects.checkFromIndexSize(offset, length, sizeBytes);
    return new BlkSnapException(Errno.EIO, "the image is lost (" + cause + ")");
  }

  @Override
  public void read(long offset, ByteBuffer target) throws BlkSnapException {
    throw lost(offset, target.remaining());
  }

  @Override
  public void write(long offset, ByteBuffer source) throws BlkSnapException {
    throw lost(offset, source.remaining());
  }

  @Override
  public void discard(long offset, long length) throws BlkSnapException {
    throw lost(offset, length);
  }

  @Override
  public void writeZeroes(long offset, long length, boolean noHole) throws BlkSnapException {
    throw lost(offset, length);
  }

  /** Nothing was written. */
  @Override
  public void flush() {}

  @Override
  public List<Extent> allocation(long offset, long length, int maxExtents) {
    Objects.checkFromIndexSize(offset, length, sizeBytes);
    return List.of(new Extent(length, false));
  }

  @Override
  public void close() {}
}
