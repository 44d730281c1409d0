package blksnap.nbd;

import blksnap.device.BlockDevice.Extent;
import java.util.ArrayList;
import java.util.List;

/**
 * What a device says about its allocation, brought into the form that replies need. Pure functions.
 */
final class NbdExtents {
  private NbdExtents() {}

  /**
   * Equal neighbours merged, and what reaches beyond {@code length} cut off.
   *
   * @return at least one extent; together at most {@code length} bytes
   */
  static List<Extent> tidy(List<Extent> extents, long length) {
    var tidy = new ArrayList<Extent>();
    long left = length;
    for (Extent extent : extents) {
      if (left == 0) {
        break;
      }
      long bytes = Math.min(extent.length(), left);
      left -= bytes;
      int last = tidy.size() - 1;
      if (last >= 0 && tidy.get(last).hole() == extent.hole()) {
        tidy.set(last, new Extent(tidy.get(last).length() + bytes, extent.hole()));
      } else {
        tidy.add(new Extent(bytes, extent.hole()));
      }
    }
    return tidy;
  }

  /**
   * Equal neighbours merged, and what reaches beyond {@code length} cut off.
   *
   * @return at least one run, at most {@code most}; together at most {@code length} bytes
   */
  static List<MetaContext.Run> tidyRuns(List<MetaContext.Run> runs, long length, int most) {
    var tidy = new ArrayList<MetaContext.Run>();
    long left = length;
    for (MetaContext.Run run : runs) {
      long bytes = Math.min(run.length(), left);
      int last = tidy.size() - 1;
      boolean goesOn = last >= 0 && tidy.get(last).state() == run.state();
      if (bytes == 0 || (!goesOn && tidy.size() == most)) {
        break;
      }
      left -= bytes;
      if (goesOn) {
        tidy.set(last, new MetaContext.Run(tidy.get(last).length() + bytes, run.state()));
      } else {
        tidy.add(new MetaContext.Run(bytes, run.state()));
      }
    }
    return tidy;
  }

  /**
   * As {@link #tidy}, but covering all of {@code length}: what the device did not describe is data,
   * and so is every hole under {@code minHoleBytes} that has data beside it.
   */
  static List<Extent> forRead(List<Extent> extents, long length, long minHoleBytes) {
    List<Extent> known = tidy(extents, length);
    var large = new ArrayList<Extent>();
    long covered = 0;
    for (Extent extent : known) {
      boolean whole = extent.length() == length;
      boolean hole = extent.hole() && (whole || extent.length() >= minHoleBytes);
      large.add(new Extent(extent.length(), hole));
      covered += extent.length();
    }
    if (covered < length) {
      large.add(new Extent(length - covered, false));
    }
    return tidy(large, length);
  }
}
