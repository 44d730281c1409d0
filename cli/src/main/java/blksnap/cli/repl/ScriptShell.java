package blksnap.cli.repl;

import blksnap.cli.command.ExitCodes;
import blksnap.cli.output.Failure;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.jline.reader.EOFError;
import org.jline.reader.Parser;

/**
 * Runs the lines of a file or pipe until one fails, or all of them. Blank lines and those that
 * begin with {@code #} mean nothing.
 */
final class ScriptShell {
  private final ShellSession session;
  private final BufferedReader lines;
  private final PrintWriter err;
  private final boolean keepGoing;
  private final Parser parser = ShellSession.parser();

  ScriptShell(ShellSession session, InputStream in, PrintWriter err, boolean keepGoing) {
    this.keepGoing = keepGoing;
    this.session = session;
    this.lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
    this.err = err;
  }

  int run() throws IOException {
    int code = ExitCodes.DONE;
    int number = 0;
    for (String line = lines.readLine();
        line != null && !session.isOver();
        line = lines.readLine()) {
      number++;
      if (line.isBlank() || line.strip().startsWith("#")) {
        continue;
      }
      int first = number;
      Optional<List<String>> words = words(line);
      while (words.isEmpty()) {
        String more = lines.readLine();
        if (more == null) {
          break;
        }
        number++;
        line = line + "\n" + more;
        words = words(line);
      }
      if (runWords(words, line) != ExitCodes.DONE) {
        code = ExitCodes.FAILED;
        if (!keepGoing) {
          err.println(Failure.PREFIX + "stopped at line " + first);
          return code;
        }
        err.println(Failure.PREFIX + "line " + first + " failed");
      }
    }
    return code;
  }

  /** Empty when the line ends within a quotation, which the next one goes on with. */
  private Optional<List<String>> words(String line) {
    try {
      return Optional.of(
          parser.parse(line, line.length(), Parser.ParseContext.ACCEPT_LINE).words());
    } catch (EOFError e) {
      return Optional.empty();
    }
  }

  private int runWords(Optional<List<String>> words, String line) throws IOException {
    if (words.isEmpty()) {
      String start = line.lines().findFirst().orElse("").strip();
      err.println(Failure.PREFIX + "the line ends within a quotation: " + start);
      return ExitCodes.USAGE;
    }
    return session.execute(words.get());
  }
}
