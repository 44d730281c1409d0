package blksnap.snapimage;

import blksnap.device.BlockDevice;
import blksnap.device.DeviceStat;
import blksnap.diffarea.HeldRun;
import blksnap.diffarea.ImageLayer;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * One device as it was when its snapshot was taken. What is written to it stays private to it, and
 * is marked as changed in the snapshot's frozen map and in the device's live one. Closing waits for
 * calls in flight; every later one fails with {@code ESHUTDOWN}.
 */
public final class SnapImage implements BlockDevice {
  /** Marks what is about to be written to the image. */
  public interface Marker {
    void mark(long offset, long length) throws IOException;
  }

  private final ImageLayer layer;
  private final long sizeBytes;
  private final Marker marker;
  private final DeviceStat stat = new DeviceStat();

  /** Shared by calls, exclusive for close; guards {@link #closed}. */
  private final ReentrantReadWriteLock gate = new ReentrantReadWriteLock();

  private boolean closed;

  public SnapImage(ImageLayer layer, long sizeBytes, Marker marker) {
    this.layer = layer;
    this.sizeBytes = sizeBytes;
    this.marker = marker;
  }

  private interface Action {
    void run() throws IOException;
  }

  public DeviceStat stat() {
    return stat;
  }

  private void whileOpen(DeviceStat.Kind kind, long offset, long length, Action action)
      throws IOException {
    Objects.checkFromIndexSize(offset, length, sizeBytes);
    long start = stat.begin();
    gate.readLock().lock();
    try {
      if (closed) {
        throw new BlkSnapException(Errno.ESHUTDOWN, "the snapshot of this image was destroyed");
      }
      if (length > 0) {
        action.run();
      }
    } finally {
      gate.readLock().unlock();
      stat.end(kind, length, start);
    }
  }

  @Override
  public long sizeBytes() {
    return sizeBytes;
  }

  @Override
  public boolean readOnly() {
    return false;
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    whileOpen(DeviceStat.Kind.READ, offset, target.remaining(), () -> layer.read(offset, target));
  }

  @Override
  public void write(long offset, ByteBuffer source) throws IOException {
    int length = source.remaining();
    whileOpen(
        DeviceStat.Kind.WRITE,
        offset,
        length,
        () -> {
          marker.mark(offset, length);
          layer.write(offset, source);
        });
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    writeZeroes(offset, length, false);
  }

  @Override
  public void writeZeroes(long offset, long length, boolean noHole) throws IOException {
    whileOpen(
        DeviceStat.Kind.DISCARD,
        offset,
        length,
        () -> {
          marker.mark(offset, length);
          layer.zero(offset, length);
        });
  }

  /** Zeroes of an image are only noted. */
  @Override
  public boolean zeroesFast(boolean noHole) {
    return true;
  }

  @Override
  public void flush() throws IOException {
    long start = stat.begin();
    gate.readLock().lock();
    try {
      if (!closed) {
        layer.sync();
      }
    } finally {
      gate.readLock().unlock();
      stat.end(DeviceStat.Kind.FLUSH, 0, start);
    }
  }

  @Override
  public List<Extent> allocation(long offset, long length, int maxExtents) throws IOException {
    Objects.checkFromIndexSize(offset, length, sizeBytes);
    return layer.allocation(offset, length, maxExtents);
  }

  /** Which of the range is held for the image, rather than read from the device. */
  public List<HeldRun> held(long offset, long length, int maxRuns) throws IOException {
    Objects.checkFromIndexSize(offset, length, sizeBytes);
    return layer.held(offset, length, maxRuns);
  }

  @Override
  public void close() {
    gate.writeLock().lock();
    try {
      closed = true;
    } finally {
      gate.writeLock().unlock();
    }
  }
}
