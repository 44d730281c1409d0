package blksnap.cli.demo;

import java.util.random.RandomGenerator;
import java.util.stream.LongStream;

/** The blocks of a disk that the writer may write. Most writes go to a small part of them. */
final class BlockChoice {
  /** One write of so many goes anywhere, the others to the hot blocks. */
  private static final int COLD_ONE_IN = 64;

  /** The first of so many parts of the blocks is hot. */
  private static final int HOT_PARTS = 8;

  /** More would take more memory than a demo is worth; a larger disk is written at its start. */
  private static final int MAX_BLOCKS = 1 << 20;

  private final long[] blocks;

  private BlockChoice(long[] blocks) {
    this.blocks = blocks;
  }

  /**
   * @param blocks ascending
   */
  static BlockChoice of(long[] blocks) {
    return new BlockChoice(blocks.clone());
  }

  /**
   * All blocks of a disk, or the first ones of a very large one.
   *
   * @param count how many the disk has, positive
   */
  static BlockChoice all(long count) {
    return new BlockChoice(LongStream.range(0, Math.min(count, MAX_BLOCKS)).toArray());
  }

  long count() {
    return blocks.length;
  }

  /** A block to write next. */
  long next(RandomGenerator random) {
    int hot = Math.max(1, blocks.length / HOT_PARTS);
    int bound = random.nextInt(COLD_ONE_IN) == 0 ? blocks.length : hot;
    return blocks[random.nextInt(bound)];
  }
}
