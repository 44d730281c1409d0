package blksnap.cbt;

import blksnap.sector.ByteRange;
import java.util.List;
import java.util.OptionalLong;

/**
 * One page of changed ranges.
 *
 * @param ranges bytes, ascending, merged, clipped to the device
 * @param next the offset to ask for next; empty when this is the last page
 */
public record ChangedRanges(List<ByteRange> ranges, OptionalLong next) {
  public ChangedRanges {
    ranges = List.copyOf(ranges);
  }
}
