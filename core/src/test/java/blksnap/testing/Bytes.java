package blksnap.testing;

import blksnap.device.BlockDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Contents for disks, and how to put them there and get them back. */
public final class Bytes {
  public static final int SECTOR = 512;

  private Bytes() {}

  /** Sectors full of one letter. */
  public static byte[] filled(char letter, int sectors) {
    return repeated(letter, sectors * SECTOR);
  }

  /** As many bytes of one letter. */
  public static byte[] repeated(char letter, int bytes) {
    byte[] content = new byte[bytes];
    Arrays.fill(content, String.valueOf(letter).getBytes(StandardCharsets.US_ASCII)[0]);
    return content;
  }

  public static byte[] zeroes(int bytes) {
    return new byte[bytes];
  }

  /**
   * Bytes that differ at every offset and in every generation, and none of which is zero, so that
   * what is misplaced, stale or missing shows.
   *
   * @param offset where on the disk the first of them belongs
   */
  public static byte[] pattern(long generation, long offset, int bytes) {
    byte[] content = new byte[bytes];
    for (int i = 0; i < bytes; i++) {
      long mixed = (offset + i + generation * 0x9e37_79b9_7f4aL) * 0xbf58_476d_1ce4_e5b9L;
      content[i] = (byte) (1 + Math.floorMod(mixed >>> 32, 255L));
    }
    return content;
  }

  /** What the device holds there now. */
  public static byte[] read(BlockDevice device, long offset, int bytes) throws IOException {
    ByteBuffer target = ByteBuffer.allocate(bytes);
    device.read(offset, target);
    return target.array();
  }

  public static void write(BlockDevice device, long offset, byte[] content) throws IOException {
    device.write(offset, ByteBuffer.wrap(content));
  }
}
