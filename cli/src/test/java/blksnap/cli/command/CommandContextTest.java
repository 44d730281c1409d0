package blksnap.cli.command;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.live.Progress;
import blksnap.cli.live.ProgressBar;
import blksnap.cli.live.ProgressLines;
import blksnap.cli.output.OutputFormat;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** What a command finds where it runs. */
final class CommandContextTest {
  private static Progress progress(boolean terminal, String kind, OutputFormat format) {
    var nowhere = new PrintWriter(Writer.nullWriter());
    var here =
        new Environment(
            Map.of("TERM", kind), 0, Path.of("/home"), Path.of("/"), false, false, terminal);
    EngineLink.Opener nothing =
        (_, _) -> {
          throw new AssertionError("the engine was asked for");
        };
    var defaults = new Defaults(format, ColorMode.AUTO, false, false);
    try (var context =
        new CommandContext(
            here, nothing, InputStream.nullInputStream(), nowhere, nowhere, defaults)) {
      return context.progress();
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"TABLE", "PLAIN"})
  void drawsABarForAPersonAtATerminalOnly(OutputFormat format) {
    assertThat(progress(true, "xterm", format)).isInstanceOf(ProgressBar.class);
    assertThat(progress(false, "xterm", format)).isSameAs(Progress.SILENT);
    assertThat(progress(true, "dumb", format)).isSameAs(Progress.SILENT);
  }

  @ParameterizedTest
  @CsvSource({"true, xterm", "false, xterm", "true, dumb"})
  void printsLinesForAProgramWhereverItIs(boolean terminal, String kind) {
    assertThat(progress(terminal, kind, OutputFormat.JSON)).isInstanceOf(ProgressLines.class);
  }
}
