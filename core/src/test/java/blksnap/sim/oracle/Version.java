package blksnap.sim.oracle;

/**
 * One write, as far as one sector is concerned: what it shows, and from when to when it was done.
 */
final class Version {
  static final long UNDER_WAY = Long.MAX_VALUE;

  final long value;
  final long start;
  long end = UNDER_WAY;

  Version(long value, long start) {
    this.value = value;
    this.start = start;
  }

  boolean isUnderWay() {
    return end == UNDER_WAY;
  }
}
