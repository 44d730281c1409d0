package blksnap.sector;

/** A half-open run of 512-byte sectors: {@code [first, first + count)}, never empty. */
public record SectorRange(long first, long count) {
  /** log2 of the bytes in a sector. */
  public static final int SECTOR_SHIFT = 9;

  /** Bytes in a sector, everywhere, whatever a device's own block size is. */
  public static final int SECTOR_BYTES = 1 << SECTOR_SHIFT;

  private static final long MAX_SECTOR = Long.MAX_VALUE >>> SECTOR_SHIFT;

  public SectorRange {
    if (first < 0) {
      throw new IllegalArgumentException("first sector " + first + " is negative");
    }
    if (count <= 0) {
      throw new IllegalArgumentException("sector count " + count + " is not positive");
    }
    if (count > MAX_SECTOR || first > MAX_SECTOR - count) {
      throw new IllegalArgumentException(
          "sectors " + first + "+" + count + " end beyond 2^63 bytes");
    }
  }

  /** The first sector after the run. */
  public long end() {
    return first + count;
  }

  /** The same run in bytes. */
  public ByteRange bytes() {
    return new ByteRange(first << SECTOR_SHIFT, count << SECTOR_SHIFT);
  }

  @Override
  public String toString() {
    return first + ":" + count;
  }
}
