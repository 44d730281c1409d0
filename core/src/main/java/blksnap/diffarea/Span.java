package blksnap.diffarea;

import java.util.ArrayList;
import java.util.List;

/**
 * A run of 4 KiB blocks within one chunk.
 *
 * @param first number of the first block on the device
 * @param count blocks, positive
 */
record Span(long chunk, long first, int count) {
  /**
   * Cuts the blocks {@code [first, end)} at the edges of chunks of {@code 1 << chunkBlockShift}
   * blocks.
   */
  static List<Span> of(long first, long end, int chunkBlockShift) {
    List<Span> spans = new ArrayList<>(2);
    for (long at = first; at < end; ) {
      long chunk = at >>> chunkBlockShift;
      long stop = Math.min(end, Math.min((chunk + 1) << chunkBlockShift, at + Integer.MAX_VALUE));
      spans.add(new Span(chunk, at, (int) (stop - at)));
      at = stop;
    }
    return spans;
  }

  long end() {
    return first + count;
  }
}
