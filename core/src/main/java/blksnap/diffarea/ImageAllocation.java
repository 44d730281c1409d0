package blksnap.diffarea;

import blksnap.device.BlockDevice.Extent;
import blksnap.diffstorage.Location;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * How an image is laid out. The device is asked first, the areas after it: a block that the device
 * shows as a hole and that is still not held was a hole at the take, while one that was discarded
 * since is held by then.
 */
final class ImageAllocation {
  /** One answer covers at most this much; the client asks on. */
  private static final long MAX_ANSWER_BYTES = 1L << 30;

  private static final int MAX_DEVICE_EXTENTS = 4096;

  private static final int GROUP_BYTES_SHIFT = BlockMap.GROUP_SHIFT + Location.BLOCK_SHIFT;

  private final ImageReader reader;
  private final DiffArea area;
  private final AreaChain chain;
  private final List<Extent> answer = new ArrayList<>();
  private final long[] locations = new long[BlockMap.GROUP_BLOCKS];
  private final int[] checksums = new int[BlockMap.GROUP_BLOCKS];

  ImageAllocation(ImageReader reader, DiffArea area) {
    this.reader = reader;
    this.area = area;
    this.chain = reader.chain();
  }

  List<Extent> of(long offset, long length, int maxExtents) throws IOException {
    reader.requireGood();
    long end = offset + Math.min(length, MAX_ANSWER_BYTES);
    long deviceEnd = Math.min(end, chain.original().sizeBytes());
    List<Extent> device =
        offset < deviceEnd ? ofDevice(offset, deviceEnd) : List.of(new Extent(end - offset, false));
    var holes = new Holes(offset, device);
    end = Math.min(end, Math.max(holes.end(), offset + 1));
    for (long at = offset; at < end && answer.size() <= maxExtents; ) {
      long stop = endOfUnheld(at, end);
      if (stop > at) {
        addUnheld(at, stop, holes);
      } else {
        stop = Math.min(end, endOfGroup(at));
        addGroup(at, stop, holes);
      }
      at = stop;
    }
    reader.requireGood(); // a block that could not be preserved may be a hole only since then
    return answer.size() > maxExtents ? answer.subList(0, maxExtents) : answer;
  }

  private static long endOfGroup(long at) {
    return ((at >>> GROUP_BYTES_SHIFT) + 1) << GROUP_BYTES_SHIFT;
  }

  /** From {@code at} to there nothing is held, as whole groups tell; {@code at} if something is. */
  private long endOfUnheld(long at, long end) throws IOException {
    List<DiffArea> now = chain.now(area);
    if (area.privateBlocks().isEmpty() && AreaChain.holdsNothing(now, area)) {
      return end;
    }
    long stop = at;
    while (stop < end) {
      long group = stop >>> GROUP_BYTES_SHIFT;
      if (held(now, group) != 0) {
        return stop;
      }
      stop = Math.min(end, endOfGroup(stop));
    }
    return stop;
  }

  private long held(List<DiffArea> now, long group) {
    return area.privateBlocks().held(group) | AreaChain.heldFor(now, area, group);
  }

  /** Nothing of it is held: a block is a hole where it lies in one of the device's. */
  private void addUnheld(long from, long to, Holes holes) {
    for (long at = from; at < to; ) {
      long extentEnd = Math.min(to, holes.endOfExtent(at));
      long stop = extentEnd < to ? extentEnd & -Location.BLOCK_BYTES : to;
      boolean hole = stop > at && holes.covers(at, stop);
      if (!hole) {
        stop = Math.min(to, (extentEnd + Location.BLOCK_BYTES - 1) & -Location.BLOCK_BYTES);
      }
      add(stop - at, hole);
      at = stop;
    }
  }

  /** Some of it is held. */
  private void addGroup(long from, long to, Holes holes) throws IOException {
    find(from >>> GROUP_BYTES_SHIFT);
    for (long at = from; at < to; ) {
      long stop = Math.min(to, ((at >>> Location.BLOCK_SHIFT) + 1) << Location.BLOCK_SHIFT);
      long location = locations[(int) (at >>> Location.BLOCK_SHIFT) & (BlockMap.GROUP_BLOCKS - 1)];
      boolean hole =
          location == BlockMap.ABSENT ? holes.covers(at, stop) : location == Location.ZEROES;
      add(stop - at, hole);
      at = stop;
    }
  }

  /** Which of the range is held for the image; at most {@code maxRuns}, and at least one. */
  List<HeldRun> held(long offset, long length, int maxRuns) throws IOException {
    reader.requireGood();
    var runs = new ArrayList<HeldRun>();
    long end = offset + Math.min(length, MAX_ANSWER_BYTES);
    for (long at = offset; at < end && runs.size() <= maxRuns; ) {
      long stop = endOfUnheld(at, end);
      if (stop > at) {
        addRun(runs, stop - at, false);
        at = stop;
        continue;
      }
      long held = held(chain.now(area), at >>> GROUP_BYTES_SHIFT);
      for (stop = Math.min(end, endOfGroup(at)); at < stop; ) {
        long blockEnd = Math.min(stop, ((at >>> Location.BLOCK_SHIFT) + 1) << Location.BLOCK_SHIFT);
        addRun(runs, blockEnd - at, (held >>> (at >>> Location.BLOCK_SHIFT) & 1) != 0);
        at = blockEnd;
      }
    }
    reader.requireGood();
    return runs.size() > maxRuns ? runs.subList(0, maxRuns) : runs;
  }

  private static void addRun(List<HeldRun> runs, long length, boolean held) {
    if (!runs.isEmpty() && runs.getLast().held() == held) {
      runs.add(new HeldRun(runs.removeLast().length() + length, held));
    } else {
      runs.add(new HeldRun(length, held));
    }
  }

  private List<Extent> ofDevice(long offset, long end) throws IOException {
    try {
      return chain.original().allocation(offset, end - offset, MAX_DEVICE_EXTENTS);
    } catch (IndexOutOfBoundsException e) {
      if (end <= chain.original().sizeBytes()) {
        throw e;
      }
      return List.of(new Extent(end - offset, false)); // it shrank: what is gone is stored
    }
  }

  private void find(long group) throws IOException {
    long first = group << BlockMap.GROUP_SHIFT;
    Arrays.fill(locations, BlockMap.ABSENT);
    area.privateBlocks().find(first, BlockMap.GROUP_BLOCKS, locations, checksums, 0);
    chain.find(chain.now(area), area, first, BlockMap.GROUP_BLOCKS, locations, checksums, 0);
  }

  private void add(long length, boolean hole) {
    if (!answer.isEmpty() && answer.getLast().hole() == hole) {
      answer.set(answer.size() - 1, new Extent(answer.getLast().length() + length, hole));
    } else {
      answer.add(new Extent(length, hole));
    }
  }

  /** The device's extents, walked once from the front. */
  private static final class Holes {
    private final List<Extent> extents;
    private int index;
    private long extentStart;

    Holes(long offset, List<Extent> extents) {
      this.extents = extents;
      this.extentStart = offset;
    }

    long end() {
      return extentStart + extents.stream().mapToLong(Extent::length).sum();
    }

    /** Behind the last one nothing ends. Asked with ascending offsets, as {@link #covers} is. */
    long endOfExtent(long at) {
      advance(at);
      return index < extents.size() ? extentStart + extents.get(index).length() : Long.MAX_VALUE;
    }

    private void advance(long at) {
      while (index < extents.size() && extentStart + extents.get(index).length() <= at) {
        extentStart += extents.get(index).length();
        index++;
      }
    }

    /** Whether {@code [from, to)} lies in one hole; asked with ascending ranges. */
    boolean covers(long from, long to) {
      advance(from);
      return index < extents.size()
          && extents.get(index).hole()
          && to <= extentStart + extents.get(index).length();
    }
  }
}
