package blksnap.sim.oracle;

import java.nio.ByteBuffer;

/** Sectors that are filled with one number each. */
public final class Stamps {
  public static final int SECTOR = 512;

  private Stamps() {}

  public static ByteBuffer filled(long value, int sectors) {
    ByteBuffer buffer = ByteBuffer.allocateDirect(sectors * SECTOR);
    while (buffer.hasRemaining()) {
      buffer.putLong(value);
    }
    return buffer.flip();
  }

  /** The number in a sector; a mixture is nobody's. */
  public static long read(ByteBuffer buffer, int sector, String what) {
    long value = buffer.getLong(sector * SECTOR);
    for (int at = 0; at < SECTOR; at += Long.BYTES) {
      if (buffer.getLong(sector * SECTOR + at) != value) {
        throw new Violation(what + ": a sector mixes two writes");
      }
    }
    return value;
  }
}
