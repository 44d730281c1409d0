package blksnap.testing;

import blksnap.device.BlockDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A device in front of another that first asks a hook, which may wait or throw, before every call
 * for data.
 */
public final class HookedDevice implements BlockDevice {
  private final BlockDevice inner;
  private final Hook hook;

  public HookedDevice(BlockDevice inner, Hook hook) {
    this.inner = inner;
    this.hook = hook;
  }

  /** What a call is about to do. */
  public enum Call {
    READ,
    WRITE,
    DISCARD,
    WRITE_ZEROES,
    FLUSH,
    ALLOCATION
  }

  /** Runs in the caller's thread, before the call. */
  @FunctionalInterface
  public interface Hook {
    void before(Call call, long offset, long length) throws IOException;
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
    hook.before(Call.READ, offset, target.remaining());
    inner.read(offset, target);
  }

  @Override
  public void write(long offset, ByteBuffer source) throws IOException {
    hook.before(Call.WRITE, offset, source.remaining());
    inner.write(offset, source);
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    hook.before(Call.DISCARD, offset, length);
    inner.discard(offset, length);
  }

  @Override
  public void writeZeroes(long offset, long length, boolean noHole) throws IOException {
    hook.before(Call.WRITE_ZEROES, offset, length);
    inner.writeZeroes(offset, length, noHole);
  }

  @Override
  public boolean zeroesFast(boolean noHole) {
    return inner.zeroesFast(noHole);
  }

  @Override
  public void flush() throws IOException {
    hook.before(Call.FLUSH, 0, 0);
    inner.flush();
  }

  @Override
  public List<Extent> allocation(long offset, long length, int maxExtents) throws IOException {
    hook.before(Call.ALLOCATION, offset, length);
    return inner.allocation(offset, length, maxExtents);
  }

  @Override
  public void close() throws IOException {
    inner.close();
  }
}
