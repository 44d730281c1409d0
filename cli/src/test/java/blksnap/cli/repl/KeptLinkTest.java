package blksnap.cli.repl;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.command.Directories;
import blksnap.cli.command.EngineLink;
import blksnap.cli.daemon.EmbeddedLink;
import blksnap.ctrl.CtrlRequest;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The way to an embedded engine that all lines of a shell share. */
final class KeptLinkTest {
  @TempDir private Path directory;

  @Test
  void keepsShowingTheExchangeOfALineWhileCompletionAsks() throws Exception {
    var directories = new Directories(directory.resolve("run"), directory.resolve("state"));
    var lines = new ArrayList<String>();
    try (var kept = new KeptLink((wanted, _) -> new EmbeddedLink(wanted), directories, true);
        EngineLink line = kept.open(directories, false);
        EngineLink completion = kept.second()) {
      line.trace(Optional.of(lines::add));
      line.engine().handle(new CtrlRequest.Version());
      completion.engine().handle(new CtrlRequest.Devices());
      line.engine().handle(new CtrlRequest.ParamList());
    }
    assertThat(lines).hasSize(4);
    assertThat(lines.get(2)).contains("\"method\":\"param.list\"");
  }
}
