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
      long block = at >>> Location.BLOCK_SHIFT;
      int index = (int) (block & (BlockMap.GROUP_BLOCKS - 1));
      find(block >>> BlockMap.GROUP_SHIFT);
      for (; index < BlockMap.GROUP_BLOCKS && at < end; index++) {
        long stop = Math.min(end, ((at >>> Location.BLOCK_SHIFT) + 1) << Location.BLOCK_SHIFT);
        long location = locations[index];
        boolean hole =
            location == BlockMap.ABSENT ? holes.covers(at, stop) : location == Location.ZEROES;
        add(stop - at, hole);
        at = stop;
      }
    }
    reader.requireGood(); // a block that could not be preserved may be a hole only since then
    return answer.size() > maxExtents ? answer.subList(0, maxExtents) : answer;
  }

  /** Which of the range is held for the image; at most {@code maxRuns}, and at least one. */
  List<HeldRun> held(long offset, long length, int maxRuns) throws IOException {
    reader.requireGood();
    var runs = new ArrayList<HeldRun>();
    long end = offset + Math.min(length, MAX_ANSWER_BYTES);
    for (long at = offset; at < end && runs.size() <= maxRuns; ) {
      long block = at >>> Location.BLOCK_SHIFT;
      int index = (int) (block & (BlockMap.GROUP_BLOCKS - 1));
      find(block >>> BlockMap.GROUP_SHIFT);
      for (; index < BlockMap.GROUP_BLOCKS && at < end; index++) {
        long stop = Math.min(end, ((at >>> Location.BLOCK_SHIFT) + 1) << Location.BLOCK_SHIFT);
        boolean held = locations[index] != BlockMap.ABSENT;
        if (!runs.isEmpty() && runs.getLast().held() == held) {
          runs.add(new HeldRun(runs.removeLast().length() + stop - at, held));
        } else {
          runs.add(new HeldRun(stop - at, held));
        }
        at = stop;
      }
    }
    reader.requireGood();
    return runs.size() > maxRuns ? runs.subList(0, maxRuns) : runs;
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

    /** Whether {@code [from, to)} lies in one hole; asked with ascending ranges. */
    boolean covers(long from, long to) {
      while (index < extents.size() && extentStart + extents.get(index).length() <= from) {
        extentStart += extents.get(index).length();
        index++;
      }
      return index < extents.size()
          && extents.get(index).hole()
          && to <= extentStart + extents.get(index).length();
    }
  }
}
