package blksnap.sector;

/** A half-open run of bytes: {@code [offset, offset + length)}, never empty. */
public record ByteRange(long offset, long length) {
  public ByteRange {
    if (offset < 0) {
      throw new IllegalArgumentException("offset " + offset + " is negative");
    }
    if (length <= 0) {
      throw new IllegalArgumentException("length " + length + " is not positive");
    }
    Math.addExact(offset, length); // end() can not overflow
  }

  /** The first byte after the run. */
  public long end() {
    return offset + length;
  }

  /** Whether both share at least one byte. */
  public boolean intersects(ByteRange other) {
    return offset < other.end() && other.offset < end();
  }

  @Override
  public String toString() {
    return offset + "+" + length;
  }
}
