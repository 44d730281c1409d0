package blksnap.cbt;

import blksnap.sector.ByteRange;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;

/**
 * One byte a block in a piece of memory: stamping a run of blocks, and finding the runs stamped
 * above a number. Bytes are stored plainly: two threads that stamp the same block at once both
 * store the number of the same interval.
 */
final class ByteMap {
  private static final int PIECE_SHIFT = 12;

  private final MemorySegment bytes;
  private final CbtGeometry geometry;

  /** For each piece of the map, 1 if a byte of it was stored since {@link #copyAheadTo} began. */
  private final byte[] touched;

  /**
   * @param bytes at least {@code geometry.blockCount()} long
   */
  ByteMap(MemorySegment bytes, CbtGeometry geometry) {
    this.bytes = bytes.asSlice(0, geometry.blockCount());
    this.geometry = geometry;
    this.touched = new byte[(int) ((geometry.blockCount() - 1) >>> PIECE_SHIFT) + 1];
  }

  CbtGeometry geometry() {
    return geometry;
  }

  /** Stamps every block that {@code [offset, offset + length)} touches. */
  void stamp(long offset, long length, byte number) {
    if (offset < 0 || length <= 0 || length > geometry.capacityBytes() - offset) {
      throw new IndexOutOfBoundsException(
          offset + "+" + length + " is outside a map of " + geometry.capacityBytes() + " bytes");
    }
    long last = (offset + length - 1) >>> geometry.blockShift();
    for (long block = offset >>> geometry.blockShift(); block <= last; block++) {
      if (bytes.get(ValueLayout.JAVA_BYTE, block) != number) { // spares the page a needless store
        bytes.set(ValueLayout.JAVA_BYTE, block, number);
        VarHandle.releaseFence(); // see copyAheadTo
        touched[(int) (block >>> PIECE_SHIFT)] = 1;
      }
    }
  }

  void clear() {
    bytes.fill((byte) 0);
  }

  void copyFrom(ByteMap other) {
    bytes.copyFrom(other.bytes);
  }

  /**
   * Copies all to a map of the same geometry while others stamp; {@link #copyTouchedTo} has to
   * follow. One at a time.
   */
  void copyAheadTo(ByteMap target) {
    Arrays.fill(touched, (byte) 0);
    VarHandle.fullFence(); // a stamp that the copy does not see is one that touches its piece anew
    target.copyFrom(this);
  }

  /** Copies what was stamped since {@link #copyAheadTo} the same map; nobody stamps meanwhile. */
  void copyTouchedTo(ByteMap target) {
    for (int piece = 0; piece < touched.length; piece++) {
      if (touched[piece] != 0) {
        long from = (long) piece << PIECE_SHIFT;
        long length = Math.min(1L << PIECE_SHIFT, geometry.blockCount() - from);
        MemorySegment.copy(bytes, from, target.bytes, from, length);
      }
    }
  }

  /** The memory itself, a byte a block. */
  MemorySegment bytes() {
    return bytes;
  }

  byte[] page(long fromBlock, int max) {
    long count = Math.max(0, Math.min(max, geometry.blockCount() - fromBlock));
    return bytes
        .asSlice(Math.min(fromBlock, geometry.blockCount()), count)
        .toArray(ValueLayout.JAVA_BYTE);
  }

  long countAbove(int number) {
    long count = 0;
    for (long block = nextAbove(0, number);
        block < geometry.blockCount();
        block = nextAbove(block + 1, number)) {
      count++;
    }
    return count;
  }

  /** Runs of blocks stamped above {@code number}, in bytes and clipped to the device, merged. */
  ChangedRanges above(int number, long fromOffset, int maxRanges) {
    List<ByteRange> ranges = new ArrayList<>();
    long count = geometry.blockCount();
    long block = nextAbove(fromOffset >>> geometry.blockShift(), number);
    while (block < count) {
      long end = block + 1;
      while (end < count && stampOf(end) > number) {
        end++;
      }
      long start = Math.max(fromOffset, block << geometry.blockShift());
      long stop = end == count ? geometry.capacityBytes() : end << geometry.blockShift();
      if (ranges.size() == maxRanges) {
        return new ChangedRanges(ranges, OptionalLong.of(start));
      }
      ranges.add(new ByteRange(start, stop - start));
      block = nextAbove(end, number);
    }
    return new ChangedRanges(ranges, OptionalLong.empty());
  }

  /** The first block from {@code block} on that is stamped above {@code number}, or the count. */
  private long nextAbove(long block, int number) {
    long at = block;
    long count = geometry.blockCount();
    while (at < count) {
      if ((at & 7) == 0
          && at + 8 <= count
          && bytes.get(ValueLayout.JAVA_LONG_UNALIGNED, at) == 0) { // most of a disk is unchanged
        at += 8;
      } else if (stampOf(at) > number) {
        return at;
      } else {
        at++;
      }
    }
    return count;
  }

  private int stampOf(long block) {
    return bytes.get(ValueLayout.JAVA_BYTE, block) & 0xff;
  }
}
