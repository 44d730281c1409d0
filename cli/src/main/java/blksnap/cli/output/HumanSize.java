package blksnap.cli.output;

/**
 * Sizes for people: {@code 512B}, {@code 4K}, {@code 1.5G}; powers of 1024, at most one decimal,
 * half rounded up.
 */
public final class HumanSize {
  private static final String UNITS = "BKMGTPE";
  private static final long STEP = 1024;

  private HumanSize() {}

  /**
   * @param bytes not negative
   */
  public static String of(long bytes) {
    if (bytes < 0) {
      throw new IllegalArgumentException("size " + bytes + " is negative");
    }
    int unit = 0;
    long unitBytes = 1;
    while (unit < UNITS.length() - 1 && reachesNextUnit(bytes, unitBytes)) {
      unit++;
      unitBytes *= STEP;
    }
    long tenths = tenths(bytes, unitBytes);
    String fraction = tenths % 10 == 0 ? "" : "." + tenths % 10;
    return tenths / 10 + fraction + UNITS.charAt(unit);
  }

  /** The second part is for what would be rounded to 1024; the first keeps it from overflowing. */
  private static boolean reachesNextUnit(long bytes, long unitBytes) {
    return bytes / unitBytes >= STEP || tenths(bytes, unitBytes) >= STEP * 10;
  }

  /** Tenths of a unit, in two parts because ten times a large size would overflow. */
  private static long tenths(long bytes, long unitBytes) {
    return bytes / unitBytes * 10 + Math.round(bytes % unitBytes * 10.0 / unitBytes);
  }
}
