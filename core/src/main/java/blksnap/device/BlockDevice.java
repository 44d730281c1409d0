package blksnap.device;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A disk: a run of bytes of fixed size, a multiple of 512, that can be read and written anywhere.
 *
 * <p>Offsets and lengths are bytes and need no alignment. A range that is not wholly inside the
 * device is our own bug, since the edge checks it, and throws {@link IndexOutOfBoundsException}
 * before any effect. What the disk or the snapshot layer refuses is a {@link
 * blksnap.error.BlkSnapException}: {@code EIO} when the medium fails or an image is corrupt, {@code
 * ENOSPC} when there is no room, {@code EPERM} for a change of a read-only device, {@code
 * ESHUTDOWN} after close.
 *
 * <p>Every method may be called from any thread, many at a time. Two calls in flight over the same
 * bytes have no order.
 */
public interface BlockDevice extends Closeable {
  /** Bytes, a multiple of 512. */
  long sizeBytes();

  /** Whether every change is refused with {@code EPERM}. */
  boolean readOnly();

  /**
   * Fills {@code target} from its position to its limit with the bytes at {@code offset}, or
   * throws.
   */
  void read(long offset, ByteBuffer target) throws IOException;

  /**
   * Writes all of {@code source}, from its position to its limit. Durable only after a {@link
   * #flush} that begins after this returns.
   */
  void write(long offset, ByteBuffer source) throws IOException;

  /** Gives up the content of the range; it reads as zeroes or as before, never as other data. */
  void discard(long offset, long length) throws IOException;

  /**
   * Makes the range read as zeroes.
   *
   * @param noHole keep the space allocated rather than punching a hole
   */
  void writeZeroes(long offset, long length, boolean noHole) throws IOException;

  /**
   * Whether {@link #writeZeroes} is known to take less than writing as many zeroes would; false is
   * always a safe answer. Takes no time itself.
   */
  default boolean zeroesFast(boolean noHole) {
    return false;
  }

  /**
   * Makes everything that was written before this call began durable. Once it has failed it keeps
   * failing with {@code EIO}: the kernel reports a lost page once, and what was lost stays lost.
   */
  void flush() throws IOException;

  /**
   * How the range is laid out, ascending and without gaps, from {@code offset}; at most {@code
   * maxExtents}, so it may stop before the range ends, but holds at least one extent. Data is
   * always a safe answer; a hole must read as zeroes.
   */
  List<Extent> allocation(long offset, long length, int maxExtents) throws IOException;

  /**
   * One run of equal allocation.
   *
   * @param length bytes, positive
   * @param hole not allocated, and reads as zeroes
   */
  record Extent(long length, boolean hole) {
    public Extent {
      if (length <= 0) {
        throw new IllegalArgumentException("extent length " + length + " is not positive");
      }
    }
  }
}
