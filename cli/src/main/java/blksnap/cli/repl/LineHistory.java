package blksnap.cli.repl;

import java.nio.file.Path;
import java.time.Instant;
import java.util.regex.Pattern;
import org.jline.reader.impl.history.DefaultHistory;

/**
 * The lines that were typed, but none that may hold a secret: the commands around a take are the
 * user's own, and have passwords in them more often than not. A damaged line of the file is passed
 * over.
 */
final class LineHistory extends DefaultHistory {
  private static final Pattern SECRET = Pattern.compile("(^|\\s)--(pre|post)(\\s|=|$)");

  @Override
  public void add(Instant time, String line) {
    if (!SECRET.matcher(line).find()) {
      super.add(time, line);
    }
  }

  @Override
  protected void addHistoryLine(Path path, String line, boolean checkDuplicates) {
    try {
      super.addHistoryLine(path, line, checkDuplicates);
    } catch (IllegalArgumentException _) { // JLine itself would not start any more
      return;
    }
  }
}
