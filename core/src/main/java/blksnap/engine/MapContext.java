package blksnap.engine;

import blksnap.cbt.CbtGeometry;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.nbd.MetaContext;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * A change map, a byte a block, as a metadata context.
 *
 * @param states what a block's number is told as
 */
record MapContext(String name, Pages pages, IntUnaryOperator states) implements MetaContext {
  /** Blocks read at a time, while the map can not be exchanged. */
  private static final int PAGE_BLOCKS = 1 << 16;

  /** Blocks looked at for one answer; a client asks on from where it ends. */
  private static final long MAX_BLOCKS = 1L << 24;

  /** Where the numbers come from. */
  @FunctionalInterface
  interface Pages {
    /** At most {@code max} numbers from block {@code fromBlock} on; none behind the end. */
    Page read(long fromBlock, int max) throws IOException;
  }

  /** Some numbers, and how the device was divided when they were read. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Page(CbtGeometry geometry, byte[] numbers) {}

  @Override
  public List<Run> status(long offset, long length, int maxRuns) throws IOException {
    var runs = new ArrayList<Run>();
    long end = offset + length;
    long start = offset;
    long at = offset;
    int state = 0;
    for (long looked = 0; at < end && runs.size() < maxRuns && looked < MAX_BLOCKS; ) {
      Page page = read(at, end);
      int shift = page.geometry.blockShift();
      end = Math.min(end, page.geometry.capacityBytes());
      for (byte number : page.numbers) {
        int next = states.applyAsInt(Byte.toUnsignedInt(number));
        if (at > start && next != state) {
          runs.add(new Run(at - start, state));
          start = at;
        }
        state = next;
        at = Math.min(end, ((at >>> shift) + 1) << shift);
      }
      looked += page.numbers.length;
    }
    if (at > start) {
      runs.add(new Run(at - start, state));
    }
    if (runs.isEmpty()) { // within the last block, and behind the end of a device that shrank
      throw beyond(offset, end);
    }
    return runs.size() > maxRuns ? runs.subList(0, maxRuns) : runs;
  }

  private Page read(long at, long end) throws IOException {
    int shift = pages.read(0, 0).geometry.blockShift();
    long blocks = ((end - 1) >>> shift) - (at >>> shift) + 1;
    Page page = pages.read(at >>> shift, (int) Math.min(PAGE_BLOCKS, blocks));
    if (page.numbers.length == 0) {
      throw beyond(at, page.geometry.capacityBytes());
    }
    return page;
  }

  private static BlkSnapException beyond(long offset, long capacity) {
    return new BlkSnapException(
        Errno.EINVAL, "offset " + offset + " is beyond the " + capacity + " bytes of the map");
  }
}
