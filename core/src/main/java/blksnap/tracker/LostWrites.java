package blksnap.tracker;

import blksnap.device.BlockDevice.Extent;
import blksnap.sector.ByteRange;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Makes good what a failed flush leaves behind: pages that the kernel takes for written and are
 * not, so that older content comes back when it drops them, or when the power fails. What can be
 * read now is written again, which the next flush then sees through.
 */
final class LostWrites {
  private static final int PIECE_BYTES = 1 << 20;
  private static final int BLOCK_BYTES = 4096;

  private LostWrites() {}

  /**
   * Marks the ranges, since older content may have come back already, and writes them again unless
   * the device is read-only. The caller flushes.
   */
  static void writeAgain(TrackedDevice device, List<ByteRange> ranges) throws IOException {
    ByteBuffer piece = ByteBuffer.allocateDirect(PIECE_BYTES);
    for (ByteRange range : ranges) {
      device.markChanged(range.offset(), range.length());
      for (long at = range.offset(); at < range.end() && !device.readOnly(); ) {
        Extent extent = device.allocation(at, range.end() - at, 1).getFirst();
        int count = (int) Math.min(PIECE_BYTES, extent.length());
        if (!writeAgain(device, at, piece.clear().limit(count), extent.hole())) {
          for (int block = 0; block < count; block += BLOCK_BYTES) {
            int bytes = Math.min(BLOCK_BYTES, count - block);
            // A block that cannot be read comes back to nobody as something older.
            writeAgain(device, at + block, piece.clear().limit(bytes), extent.hole());
          }
        }
        at += count;
      }
    }
  }

  /** False when not all of it can be read; then nothing is written. */
  private static boolean writeAgain(
      TrackedDevice device, long offset, ByteBuffer piece, boolean hole) throws IOException {
    try {
      device.read(offset, piece);
    } catch (IOException e) {
      return false;
    }
    // What was lost in a hole is in memory alone: there the hole is no reason to leave it.
    if (!hole || !isZero(piece.flip())) {
      device.write(offset, piece.rewind());
    }
    return true;
  }

  private static boolean isZero(ByteBuffer bytes) {
    for (int i = bytes.position(); i < bytes.limit(); i++) {
      if (bytes.get(i) != 0) {
        return false;
      }
    }
    return true;
  }
}
