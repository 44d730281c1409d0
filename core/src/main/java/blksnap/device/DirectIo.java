package blksnap.device;

import blksnap.buffer.BufferPool;
import blksnap.error.BlkSnapException;
import blksnap.linux.NativeFile;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * Past the page cache, in whole units. What is not aligned goes through an aligned buffer of our
 * own; a unit that is only partly written is read, changed and written back, and {@link RangeGate}
 * keeps every other change of that unit out meanwhile. The last bytes of a file that do not fill a
 * unit go through the page cache.
 *
 * <p>A buffer of the pool is always taken before a range is entered, so neither waits for the other
 * in a circle.
 */
final class DirectIo implements FileIo {
  private final NativeFile file;
  private final CachedIo tail;
  private final BufferPool bounce;
  private final int unit;
  private final int memoryAlignment;
  private final RangeGate ranges = new RangeGate();

  /**
   * @param file open for direct I/O; closed with this
   * @param tail to the same file, for what does not fill a unit at its end
   * @param unit bytes, a power of two, that offsets and lengths must be a multiple of
   * @param memoryAlignment what a buffer's address must be a multiple of
   */
  DirectIo(NativeFile file, CachedIo tail, BufferPool bounce, int unit, int memoryAlignment) {
    this.file = file;
    this.tail = tail;
    this.bounce = bounce;
    this.unit = unit;
    this.memoryAlignment = memoryAlignment;
  }

  @Override
  public void read(long offset, ByteBuffer target, long deviceBytes) throws BlkSnapException {
    long tailStart = roundDown(deviceBytes);
    for (long at = offset; target.hasRemaining(); ) {
      if (at >= tailStart) {
        tail.read(at, target);
        return;
      }
      int left = (int) Math.min(target.remaining(), tailStart - at);
      at +=
          at == roundDown(at) && left >= unit && aligned(target)
              ? readStraight(at, Transfer.next(target, (int) roundDown(left)))
              : readBounced(at, target, left);
    }
  }

  private int readStraight(long at, ByteBuffer target) throws BlkSnapException {
    int count = target.remaining();
    Transfer.read(file, at, target, unit);
    return count;
  }

  private int readBounced(long at, ByteBuffer target, int left) throws BlkSnapException {
    long first = roundDown(at);
    int bytes = (int) Math.min(BOUNCE_BYTES, roundUp(at + left) - first);
    try (BufferPool.Lease lease = bounce.take(bytes)) {
      ByteBuffer whole = lease.buffer();
      Transfer.read(file, first, whole, unit);
      int skip = (int) (at - first);
      int count = Math.min(left, bytes - skip);
      target.put(whole.slice(skip, count));
      return count;
    }
  }

  @Override
  public void write(long offset, ByteBuffer source, long deviceBytes) throws BlkSnapException {
    long tailStart = roundDown(deviceBytes);
    for (long at = offset; source.hasRemaining(); ) {
      if (at >= tailStart) {
        tail.write(at, source);
        return;
      }
      int left = (int) Math.min(source.remaining(), tailStart - at);
      int skip = (int) (at - roundDown(at));
      if (skip > 0 || left < unit) {
        at += writePart(at - skip, skip, Transfer.next(source, Math.min(left, unit - skip)));
      } else if (aligned(source)) {
        at += writeStraight(at, Transfer.next(source, (int) roundDown(left)));
      } else {
        int count = (int) Math.min(BOUNCE_BYTES, roundDown(left));
        at += writeBounced(at, Transfer.next(source, count));
      }
    }
  }

  private int writePart(long unitStart, int skip, ByteBuffer source) throws BlkSnapException {
    int count = source.remaining();
    try (BufferPool.Lease lease = bounce.take(unit);
        RangeGate.Pass _ = ranges.enterAlone(unitStart, unitStart + unit)) {
      ByteBuffer whole = lease.buffer();
      Transfer.read(file, unitStart, whole, unit);
      whole.position(skip).put(source).clear().limit(unit);
      Transfer.write(file, unitStart, whole, unit);
    }
    return count;
  }

  private int writeStraight(long at, ByteBuffer source) throws BlkSnapException {
    int count = source.remaining();
    try (RangeGate.Pass _ = ranges.enter(at, at + count)) {
      Transfer.write(file, at, source, unit);
    }
    return count;
  }

  private int writeBounced(long at, ByteBuffer source) throws BlkSnapException {
    try (BufferPool.Lease lease = bounce.take(source.remaining())) {
      return writeStraight(at, lease.buffer().put(source).flip());
    }
  }

  @Override
  public <T> T exclude(long offset, long length, Change<T> change) throws BlkSnapException {
    long first = roundDown(offset);
    long end = roundUp(offset + length);
    boolean wholeUnits = first == offset && end == offset + length;
    try (RangeGate.Pass _ = wholeUnits ? ranges.enter(first, end) : ranges.enterAlone(first, end)) {
      return change.make();
    }
  }

  private boolean aligned(ByteBuffer buffer) {
    return buffer.isDirect() && MemorySegment.ofBuffer(buffer).address() % memoryAlignment == 0;
  }

  private long roundDown(long bytes) {
    return bytes & -unit;
  }

  private long roundUp(long bytes) {
    return (bytes + unit - 1) & -unit;
  }

  @Override
  public void close() throws BlkSnapException {
    file.close();
  }
}
