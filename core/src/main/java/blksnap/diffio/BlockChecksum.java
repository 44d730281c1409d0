package blksnap.diffio;

import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/** The CRC-32C that stands beside the mapping of each stored block, over its 4096 bytes. */
public final class BlockChecksum {
  private BlockChecksum() {}

  /** The checksum of the 4096 bytes at {@code at}; position and limit stay. */
  public static int of(ByteBuffer buffer, int at) {
    var crc = new CRC32C();
    crc.update(buffer.slice(at, DiffIo.BLOCK_BYTES));
    return (int) crc.getValue();
  }
}
