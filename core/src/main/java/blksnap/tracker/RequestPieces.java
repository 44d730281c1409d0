package blksnap.tracker;

import blksnap.device.BlockDevice;
import java.io.IOException;
import java.util.List;

/**
 * Cuts a long discard or write of zeroes into pieces that each pass the write gate, so that a take
 * never waits for more than one piece.
 */
final class RequestPieces {
  /** Most bytes of a piece. */
  static final int MAX_BYTES = 4 << 20;

  private static final int EXTENTS_PER_LOOK = 1024;

  /** What is done with a piece. */
  interface Action {
    void run(long offset, long length) throws IOException;
  }

  /** Tells where holes are. */
  interface Layout {
    List<BlockDevice.Extent> of(long offset, long length, int maxExtents) throws IOException;
  }

  private RequestPieces() {}

  static void of(long offset, long length, Action action) throws IOException {
    long end = offset + length;
    for (long at = offset; at < end; ) {
      long count = Math.min(end - at, MAX_BYTES);
      action.run(at, count);
      at += count;
    }
  }

  /** Leaves holes alone: they read as zeroes already, and nothing of them need be kept. */
  static void ofData(Layout layout, long offset, long length, Action action) throws IOException {
    long end = offset + length;
    for (long at = offset; at < end; ) {
      for (BlockDevice.Extent extent : layout.of(at, end - at, EXTENTS_PER_LOOK)) {
        long count = Math.min(extent.length(), end - at);
        if (!extent.hole()) {
          of(at, count, action);
        }
        at += count;
        if (at >= end) {
          return;
        }
      }
    }
  }
}
