package blksnap.diffstorage;

/**
 * The address of one 4 KiB block of old data in a {@code long}: 15 bits of storage number, 12 bits
 * of range number in it, 36 bits of block number in that. {@link #ZEROES} needs no storage. Adding
 * {@code n} names the n-th block after it in the same range.
 */
public final class Location {
  /** log2 of the bytes in a block. */
  public static final int BLOCK_SHIFT = 12;

  /** Bytes in a block: the unit that is copied, stored and checked. */
  public static final int BLOCK_BYTES = 1 << BLOCK_SHIFT;

  /** A block of zeroes, stored nowhere. */
  public static final long ZEROES = -1;

  /** Most storages at a time. */
  public static final int MAX_STORAGES = 1 << 15;

  /** Most ranges in one storage. */
  public static final int MAX_RANGES = 1 << 12;

  /** Most blocks in one range: 256 TiB. */
  public static final long MAX_BLOCKS = 1L << 36;

  private Location() {}

  static long of(int storage, int range, long block) {
    return (long) storage << 48 | (long) range << 36 | block;
  }

  /** The number of the storage; not for {@link #ZEROES}. */
  public static int storage(long location) {
    return (int) (location >>> 48);
  }

  static int range(long location) {
    return (int) (location >>> 36) & (MAX_RANGES - 1);
  }

  static long block(long location) {
    return location & (MAX_BLOCKS - 1);
  }
}
