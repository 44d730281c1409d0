package blksnap.diffarea;

import java.util.OptionalLong;

/**
 * What a writer does when diff storage is full.
 *
 * @param waits wait for room, rather than let the snapshot become corrupt
 * @param longestMillis how long one write waits before it gives the snapshot up; empty: for ever
 */
public record FullPolicy(boolean waits, OptionalLong longestMillis) {
  public static final FullPolicy BREAK = new FullPolicy(false, OptionalLong.empty());

  /** The one that waits, or waits longer. */
  FullPolicy orLonger(FullPolicy other) {
    if (!waits || !other.waits) {
      return waits ? this : other;
    }
    if (longestMillis.isEmpty() || other.longestMillis.isEmpty()) {
      return longestMillis.isEmpty() ? this : other;
    }
    return longestMillis.getAsLong() >= other.longestMillis.getAsLong() ? this : other;
  }
}
