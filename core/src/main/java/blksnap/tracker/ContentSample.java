package blksnap.tracker;

import blksnap.device.BlockDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Random;
import java.util.zip.CRC32C;

/**
 * A checksum of a small part of a device's content, to notice that it is another one than it was:
 * the places where partition tables, volume managers and file systems keep what they change on
 * every use, the end, and blocks spread over all of it. It proves a difference, never that there is
 * none.
 */
final class ContentSample {
  /** The first partition usually begins at 1 MiB, and its file system soon after. */
  static final int HEAD_BYTES = (1 << 20) + (256 << 10);

  static final int TAIL_BYTES = 64 << 10;
  static final int SPREAD_BLOCKS = 128;
  static final int BLOCK_BYTES = 4096;

  private static final int PIECE_BYTES = 256 << 10;

  private ContentSample() {}

  /** Reads about 2 MiB. */
  static long of(BlockDevice device) throws IOException {
    long size = device.sizeBytes();
    var crc = new CRC32C();
    ByteBuffer buffer = ByteBuffer.allocateDirect(PIECE_BYTES);
    add(crc, device, buffer, 0, Math.min(size, HEAD_BYTES));
    long tail = Math.max(0, size - TAIL_BYTES);
    add(crc, device, buffer, tail, size - tail);
    long blocks = size / BLOCK_BYTES;
    var places = new Random(size); // the same ones every time
    for (int i = 0; i < SPREAD_BLOCKS && blocks > 0; i++) {
      add(crc, device, buffer, places.nextLong(blocks) * BLOCK_BYTES, BLOCK_BYTES);
    }
    return crc.getValue();
  }

  private static void add(
      CRC32C crc, BlockDevice device, ByteBuffer buffer, long offset, long length)
      throws IOException {
    long end = offset + length;
    for (long at = offset; at < end; at += buffer.limit()) {
      buffer.clear().limit((int) Math.min(buffer.capacity(), end - at));
      device.read(at, buffer);
      crc.update(buffer.flip());
    }
  }
}
