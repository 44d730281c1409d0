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
import org.jline.reader.EOFError;
import org.jline.reader.Parser;

/**
 * Runs the lines of a file or pipe until one fails. Blank lines and those that begin with {@code #}
 * mean nothing.
 */
final class ScriptShell {
  private final ShellSession session;
  private final BufferedReader lines;
  private final PrintWriter err;
  private final Parser parser = ShellSession.parser();

  ScriptShell(ShellSession session, InputStream in, PrintWriter err) {
    this.session = session;
    this.lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
    this.err = err;
  }

  int run() throws IOException {
    int number = 0;
    for (String line = lines.readLine();
        line != null && !session.isOver();
        line = lines.readLine()) {
      number++;
      if (!line.isBlank() && !line.strip().startsWith("#") && runLine(line) != ExitCodes.DONE) {
        err.println(Failure.PREFIX + "stopped at line " + number);
        return ExitCodes.FAILED;
      }
    }
    return ExitCodes.DONE;
  }

  private int runLine(String line) throws IOException {
    List<String> words;
    try {
      words = parser.parse(line, line.length(), Parser.ParseContext.ACCEPT_LINE).words();
    } catch (EOFError e) {
      err.println(Failure.PREFIX + "the line ends within a quotation: " + line.strip());
      return ExitCodes.USAGE;
    }
    return session.execute(words);
  }
}
