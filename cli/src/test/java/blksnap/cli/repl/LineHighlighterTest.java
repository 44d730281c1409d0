package blksnap.cli.repl;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.CommandTree;
import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Defaults;
import blksnap.cli.testing.Environments;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The colours of a line: {@code <b>} bold, {@code <c>} cyan, {@code <g>} green, {@code <r>} red.
 */
final class LineHighlighterTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          snapshot take monday      | <b>snapshot</> <b>take</> monday
          snapshot tkae monday      | <b>snapshot</> <r>tkae</> monday
          snapshot ta               | <b>snapshot</> ta
          tak                       | <r>tak</>
          tak x                     | <r>tak</> x
          ver                       | ver
          version -o json --colour= | <b>version</> <c>-o</> json <r>--colour=</>
          version -ojson --col      | <b>version</> <c>-ojson</> <c>--col</>
          cat '/a b' take           | <b>cat</> <g>'/a b'</> take
          cat "a b                  | <b>cat</> <g>"a b</>
          """)
  void paintsWhatAWordIs(String line, String painted) {
    assertThat(marked(line)).isEqualTo(painted);
  }

  @Test
  void leavesBlanksAndTheTextAsTheyAre() {
    String line = "  cat \t a\\ b  ";
    assertThat(highlighter().painted(line).toString()).isEqualTo(line);
    assertThat(highlighter().painted("").toString()).isEmpty();
  }

  private static String marked(String line) {
    return highlighter()
        .painted(line)
        .toAnsi()
        .replace("\u001b[1m", "<b>")
        .replace("\u001b[36m", "<c>")
        .replace("\u001b[32m", "<g>")
        .replace("\u001b[31m", "<r>")
        .replace("\u001b[0m", "</>");
  }

  private static LineHighlighter highlighter() {
    var context =
        new CommandContext(
            Environments.user(),
            (_, _) -> {
              throw new AssertionError("the engine was asked for");
            },
            InputStream.nullInputStream(),
            new PrintWriter(new StringWriter()),
            new PrintWriter(new StringWriter()),
            Defaults.ONE_SHOT);
    return new LineHighlighter(new CommandTree(context).withoutShell()::getCommandSpec);
  }
}
