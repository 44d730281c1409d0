package blksnap.testing;

import blksnap.device.BlockDevice;
import blksnap.device.ResizableDevice;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;

/**
 * A disk whose chosen calls fail, before any effect, and that counts all of them. Closing never
 * fails.
 */
public final class FaultyDevice implements ResizableDevice {
  /** What can fail. */
  public enum Kind {
    READ,
    WRITE,
    DISCARD,
    WRITE_ZEROES,
    FLUSH,
    ALLOCATION
  }

  /**
   * One call.
   *
   * @param number 0 for the first call of any kind
   * @param offset bytes; 0 for a flush, as is {@code length}
   */
  public record Call(long number, Kind kind, long offset, long length) {}

  private final BlockDevice device;
  private final AtomicLong calls = new AtomicLong();
  private final AtomicLong faults = new AtomicLong();
  private volatile Predicate<Call> fails;
  private volatile Errno errno;

  /**
   * Every call that {@code fails} picks fails with {@code errno}; it is asked from many threads.
   */
  public FaultyDevice(BlockDevice device, Predicate<Call> fails, Errno errno) {
    this.device = device;
    this.fails = fails;
    this.errno = errno;
  }

  /** With {@code EIO}. */
  public FaultyDevice(BlockDevice device, Predicate<Call> fails) {
    this(device, fails, Errno.EIO);
  }

  /** Nothing fails until {@link #failFromNowOn}. */
  public FaultyDevice(BlockDevice device) {
    this(device, call -> false, Errno.EIO);
  }

  /** The call with this number, counted from 0, and no other. */
  public static Predicate<Call> failAtCall(long number) {
    return call -> call.number() == number;
  }

  /** Every call of one kind. */
  public static Predicate<Call> failEvery(Kind kind) {
    return call -> call.kind() == kind;
  }

  /** Replaces what fails, and how. */
  public void failFromNowOn(Predicate<Call> newFails, Errno newErrno) {
    this.errno = newErrno;
    this.fails = newFails;
  }

  /** Nothing fails any more. */
  public void heal() {
    failFromNowOn(call -> false, Errno.EIO);
  }

  /** Calls so far, those that failed included. */
  public long calls() {
    return calls.get();
  }

  /** Whether any call was made to fail. */
  public boolean faultFired() {
    return faults.get() > 0;
  }

  private void count(Kind kind, long offset, long length) throws BlkSnapException {
    var call = new Call(calls.getAndIncrement(), kind, offset, length);
    if (fails.test(call)) {
      faults.incrementAndGet();
      throw new BlkSnapException(errno, "injected failure of " + call);
    }
  }

  @Override
  public long sizeBytes() {
    return device.sizeBytes();
  }

  @Override
  public boolean readOnly() {
    return device.readOnly();
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    count(Kind.READ, offset, target.remaining());
    device.read(offset, target);
  }

  @Override
  public void write(long offset, ByteBuffer source) throws IOException {
    count(Kind.WRITE, offset, source.remaining());
    device.write(offset, source);
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    count(Kind.DISCARD, offset, length);
    device.discard(offset, length);
  }

  @Override
  public void writeZeroes(long offset, long length, boolean noHole) throws IOException {
    count(Kind.WRITE_ZEROES, offset, length);
    device.writeZeroes(offset, length, noHole);
  }

  @Override
  public void flush() throws IOException {
    count(Kind.FLUSH, 0, 0);
    device.flush();
  }

  @Override
  public List<Extent> allocation(long offset, long length, int maxExtents) throws IOException {
    count(Kind.ALLOCATION, offset, length);
    return device.allocation(offset, length, maxExtents);
  }

  /** Never fails by itself. */
  @Override
  public void resize(long newSizeBytes) throws IOException {
    if (!(device instanceof ResizableDevice resizable)) {
      throw new BlkSnapException(Errno.ENOTSUP, "the device behind cannot change its size");
    }
    resizable.resize(newSizeBytes);
  }

  @Override
  public void close() throws IOException {
    device.close();
  }
}
