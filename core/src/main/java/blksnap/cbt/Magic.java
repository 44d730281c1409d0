package blksnap.cbt;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;

/** Magics and checksums of the files of this package. */
final class Magic {
  private Magic() {}

  /** Four letters as the int that a little-endian file stores in that order. */
  static int of(String letters) {
    byte[] bytes = letters.getBytes(StandardCharsets.US_ASCII);
    return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | bytes[3] << 24;
  }

  /** CRC-32C of the memory. */
  static int crc(MemorySegment memory) {
    var crc = new CRC32C();
    crc.update(memory.asByteBuffer());
    return (int) crc.getValue();
  }
}
