package blksnap.diffstorage;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.UUID;
import java.util.zip.CRC32C;

/**
 * The first block of every range of diff storage; little-endian.
 *
 * <pre>
 * offset  bytes  field
 *      0      4  magic "BDST"
 *      4      4  version 1
 *      8     16  snapshot that the storage was made for (UUID, most significant long first)
 *     24      4  storage number
 *     28      4  range number
 *     32      4  CRC-32C of bytes 0..31
 *     36   4060  zero
 * </pre>
 */
record StorageHeader(UUID snapshot, int storage, int range) {
  private static final int MAGIC = 'B' | 'D' << 8 | 'S' << 16 | 'T' << 24;
  private static final int VERSION = 1;
  private static final int CHECKED_BYTES = 32;

  /** A block, ready to be written. */
  ByteBuffer encode() {
    ByteBuffer block =
        ByteBuffer.allocateDirect(Location.BLOCK_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    block.putInt(MAGIC).putInt(VERSION);
    block.putLong(snapshot.getMostSignificantBits()).putLong(snapshot.getLeastSignificantBits());
    block.putInt(storage).putInt(range);
    block.putInt(crc(block));
    return block.rewind();
  }

  /** Whether a block begins like a header; it may be torn all the same. */
  static boolean isOne(ByteBuffer block) {
    return block.duplicate().order(ByteOrder.LITTLE_ENDIAN).getInt(0) == MAGIC;
  }

  /**
   * @throws BlkSnapException {@code EBADMSG} when the block is no header, is torn, or of another
   *     version
   */
  static StorageHeader decode(String path, ByteBuffer bytes) throws BlkSnapException {
    ByteBuffer block = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    if (block.getInt(0) != MAGIC) {
      throw new BlkSnapException(Errno.EBADMSG, path + " is not diff storage");
    }
    if (block.getInt(4) != VERSION) {
      throw new BlkSnapException(
          Errno.EBADMSG, path + " is diff storage of version " + block.getInt(4));
    }
    if (block.getInt(CHECKED_BYTES) != crc(block)) {
      throw new BlkSnapException(Errno.EBADMSG, path + " has a bad header checksum");
    }
    return new StorageHeader(
        new UUID(block.getLong(8), block.getLong(16)), block.getInt(24), block.getInt(28));
  }

  private static int crc(ByteBuffer block) {
    var crc = new CRC32C();
    crc.update(block.slice(0, CHECKED_BYTES));
    return (int) crc.getValue();
  }
}
