package blksnap.cli.output;

import blksnap.log.LogRing;

/**
 * A log line as {@code dmesg} of the kernel shows it: seconds since load in brackets, then the
 * text.
 */
public final class LogText {
  private static final long MICROS_PER_SECOND = 1_000_000;
  private static final int SECONDS_WIDTH = 5;
  private static final int MICROS_DIGITS = 6;

  private LogText() {}

  public static String stamped(LogRing.Line line) {
    return "[" + seconds(line, SECONDS_WIDTH) + "] " + Printable.of(line.text());
  }

  /** Seconds with six decimals, padded on the left to {@code width} digits before the point. */
  static String seconds(LogRing.Line line, int width) {
    String whole = Long.toString(line.sinceLoadMicros() / MICROS_PER_SECOND);
    String micros = Long.toString(line.sinceLoadMicros() % MICROS_PER_SECOND);
    return " ".repeat(Math.max(0, width - whole.length()))
        + whole
        + "."
        + "0".repeat(MICROS_DIGITS - micros.length())
        + micros;
  }
}
