package blksnap.device;

import blksnap.buffer.BufferPool;
import blksnap.error.BlkSnapException;
import blksnap.linux.NativeFile;
import java.nio.ByteBuffer;

/** Through the kernel's page cache, to the byte. Closing it leaves the file open. */
final class CachedIo implements FileIo {
  private final NativeFile file;
  private final BufferPool bounce;

  CachedIo(NativeFile file, BufferPool bounce) {
    this.file = file;
    this.bounce = bounce;
  }

  @Override
  public void read(long offset, ByteBuffer target, long deviceBytes) throws BlkSnapException {
    read(offset, target);
  }

  void read(long offset, ByteBuffer target) throws BlkSnapException {
    if (target.isDirect()) {
      Transfer.read(file, offset, target, 1);
      return;
    }
    for (long at = offset; target.hasRemaining(); ) {
      int count = Math.min(BOUNCE_BYTES, target.remaining());
      try (BufferPool.Lease lease = bounce.take(count)) {
        Transfer.read(file, at, lease.buffer(), 1);
        target.put(lease.buffer().flip());
      }
      at += count;
    }
  }

  @Override
  public void write(long offset, ByteBuffer source, long deviceBytes) throws BlkSnapException {
    write(offset, source);
  }

  void write(long offset, ByteBuffer source) throws BlkSnapException {
    if (source.isDirect()) {
      Transfer.write(file, offset, source, 1);
      return;
    }
    for (long at = offset; source.hasRemaining(); ) {
      int count = Math.min(BOUNCE_BYTES, source.remaining());
      try (BufferPool.Lease lease = bounce.take(count)) {
        lease.buffer().put(Transfer.next(source, count)).flip();
        Transfer.write(file, at, lease.buffer(), 1);
      }
      at += count;
    }
  }

  /** The kernel keeps changes of the page cache apart to the byte. */
  @Override
  public <T> T exclude(long offset, long length, Change<T> change) throws BlkSnapException {
    return change.make();
  }

  @Override
  public void close() {
    // The file belongs to the device.
  }
}
