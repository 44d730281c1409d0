package blksnap.cli.daemon;

import blksnap.log.LogRing;
import blksnap.log.LogRing.Level;
import java.util.Optional;

/**
 * What a starting daemon tells the process that waits for it: a line of its log in a line of
 * standard output.
 */
final class DaemonNews {
  private static final String PREFIX = "log ";

  private DaemonNews() {}

  /** Such a line as it is read. */
  record Line(Level level, String text) {}

  static String of(LogRing.Line line) {
    return PREFIX + line.level() + " " + line.text();
  }

  /** Empty when {@code line} is something else. */
  static Optional<Line> parse(String line) {
    for (Level level : Level.values()) {
      String start = PREFIX + level + " ";
      if (line.startsWith(start)) {
        return Optional.of(new Line(level, line.substring(start.length())));
      }
    }
    return Optional.empty();
  }
}
