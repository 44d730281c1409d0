package blksnap.diffarea;

import blksnap.diffstorage.Location;

/**
 * Releases blocks of storage in runs as long as they come, so that a hole is punched for a run, not
 * for a block.
 */
final class ReleaseRuns implements AutoCloseable {
  private final DiffArea area;
  private long start;
  private long count;

  ReleaseRuns(DiffArea area) {
    this.area = area;
  }

  void add(long location) {
    if (location == Location.ZEROES || location == BlockMap.ABSENT) {
      return;
    }
    if (count > 0 && location == start + count) {
      count++;
      return;
    }
    close();
    start = location;
    count = 1;
  }

  /** Releases the last run. */
  @Override
  public void close() {
    if (count > 0) {
      area.release(start, count);
    }
    count = 0;
  }
}
