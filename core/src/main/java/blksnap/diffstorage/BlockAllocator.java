package blksnap.diffstorage;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Which blocks of a storage are handed out: the ranges in order, each from its second block on, and
 * again what was given up. The ranges are the same at every call but for more at their end. Not
 * safe: its storage's lock guards it.
 */
final class BlockAllocator {
  /** Makes a range longer, within its limit. */
  interface Growth {
    void grow(StorageRange range) throws IOException;
  }

  private final int storage;
  private int currentRange;

  /** Next block of the current range. */
  private long nextBlock = 1;

  private long handedOutBlocks;

  /**
   * Blocks given up while the snapshot lives: what its images overwrote. Handed out again one by
   * one.
   */
  private final ArrayDeque<Long> freed = new ArrayDeque<>();

  private long liveBlocks;

  /**
   * @param storage the number that locations carry
   */
  BlockAllocator(int storage) {
    this.storage = storage;
  }

  /** Blocks that somebody needs. */
  long liveBlocks() {
    return liveBlocks;
  }

  /** Bytes ever handed out. */
  long handedOutBytes() {
    return handedOutBlocks << Location.BLOCK_SHIFT;
  }

  /** Up to {@code blocks} blocks that follow each other, at least one; null when none is left. */
  DiffStorage.@Nullable Region next(List<StorageRange> ranges, int blocks, Growth growth)
      throws IOException {
    if (blocks == 1 && !freed.isEmpty()) {
      return reuse();
    }
    while (currentRange < ranges.size()) {
      StorageRange range = ranges.get(currentRange);
      long left = blocksLeft(range);
      if (left <= 0 && range.bytes() < (range.maximumBytes() & -Location.BLOCK_BYTES)) {
        growth.grow(range);
        left = blocksLeft(range);
      }
      if (left > 0) {
        int count = (int) Math.min(blocks, left);
        var region = new DiffStorage.Region(Location.of(storage, currentRange, nextBlock), count);
        nextBlock += count;
        handedOutBlocks += count;
        liveBlocks += count;
        return region;
      }
      if (currentRange + 1 == ranges.size()) {
        break; // stay on the last range: it may be followed by another one
      }
      currentRange++;
      nextBlock = 1;
    }
    return freed.isEmpty() ? null : reuse();
  }

  private long blocksLeft(StorageRange range) {
    return (range.bytes() >>> Location.BLOCK_SHIFT) - nextBlock;
  }

  private DiffStorage.Region reuse() {
    liveBlocks++;
    return new DiffStorage.Region(freed.removeFirst(), 1);
  }

  /**
   * Blocks that nobody needs any more.
   *
   * @param reuse whether they may be handed out again
   */
  void release(long location, long blocks, boolean reuse) {
    liveBlocks -= blocks;
    for (long i = 0; reuse && i < blocks; i++) {
      freed.addLast(location + i);
    }
  }

  /** Takes back what was handed out last, as if it had not been; false when it was not the last. */
  boolean takeBack(DiffStorage.Region region) {
    boolean last =
        Location.range(region.location()) == currentRange
            && Location.block(region.location()) + region.blocks() == nextBlock;
    if (last) {
      nextBlock -= region.blocks();
      handedOutBlocks -= region.blocks();
      liveBlocks -= region.blocks();
    }
    return last;
  }

  /** Counts blocks that are in use already, and goes on after the highest of them. */
  void adopt(List<StorageRange> ranges, long location, long blocks) {
    liveBlocks += blocks;
    handedOutBlocks += blocks;
    int range = Location.range(location);
    long end = Location.block(location) + blocks;
    if (range >= ranges.size() || end > ranges.get(range).bytes() >>> Location.BLOCK_SHIFT) {
      return; // reading it will say that it is not there
    }
    if (range > currentRange) {
      currentRange = range;
      nextBlock = end;
    } else if (range == currentRange) {
      nextBlock = Math.max(nextBlock, end);
    }
  }

  /** What can really still be handed out, in bytes. */
  long freeBytes(List<StorageRange> ranges) throws IOException {
    long free = 0;
    for (int i = currentRange; i < ranges.size(); i++) {
      StorageRange range = ranges.get(i);
      long used = i == currentRange ? nextBlock : 1;
      long left = range.maximumBytes() - (used << Location.BLOCK_SHIFT);
      free += Math.max(0, Math.min(left, range.fileSystemFreeBytes()));
    }
    return free + ((long) freed.size() << Location.BLOCK_SHIFT);
  }
}
