package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.command.Environment;
import blksnap.cli.command.SocketLink;
import blksnap.cli.testing.FakeEngine;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlServer;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import java.io.ByteArrayInputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code --debug} and {@code dmesg} tell of the inside. */
final class DebugTest {
  @TempDir private Path run;

  private CtrlServer serve(FakeEngine engine) throws Exception {
    return CtrlServer.start(run.resolve("ctrl.sock"), engine, new LogRing());
  }

  @Test
  void showsTheExchangeWithTheEngineOnlyWhenAskedTo() throws Exception {
    try (var _ = serve(new FakeEngine())) {
      assertThat(CommandRun.overSocket(environment(), "cat", "/x"))
          .isEqualTo(new CommandRun(0, "18\n", ""));
      assertThat(CommandRun.overSocket(environment(), "cat", "/x", "--debug"))
          .isEqualTo(
              new CommandRun(
                  0,
                  "18\n",
                  """
                  --> {"jsonrpc":"2.0","blksnap":1,"id":1,"method":"cat","params":{"path":"/x"}}
                  <-- {"jsonrpc":"2.0","id":1,"result":{"value":"18"}}
                  """));
    }
  }

  @Test
  void showsItForOneLineOfAShell() throws Exception {
    try (var _ = serve(new FakeEngine())) {
      var err = new StringWriter();
      var out = new StringWriter();
      String lines = "cat /a\ncat /b --debug\ncat /c\n";
      int code =
          Main.run(
              new String[] {"shell"},
              environment(),
              (directories, _) -> new SocketLink(directories.ctrlSocket()),
              new ByteArrayInputStream(lines.getBytes(StandardCharsets.UTF_8)),
              new PrintWriter(out),
              new PrintWriter(err));
      assertThat(code).isZero();
      assertThat(out).hasToString("18\n18\n18\n");
      assertThat(err.toString()).contains("\"/b\"").doesNotContain("\"/a\"", "\"/c\"");
    }
  }

  @Test
  void cutsALineThatNobodyWouldReadToItsEnd() throws Exception {
    try (var _ = serve(new FakeEngine().next(() -> new CtrlReply.Value("x".repeat(10_000))))) {
      var result = CommandRun.overSocket(environment(), "cat", "/x", "--debug");
      assertThat(result.err().lines().toList().getLast())
          .hasSizeLessThan(5_000)
          .endsWith(" characters)");
    }
  }

  @Test
  void printsOnlyLinesThatAreGraveEnough() {
    assertThat(CommandRun.of(new FakeEngine(), "dmesg", "--level", "warning").out())
        .isEqualTo("[   12.000345] low\\x1b[31m on space\n");
    assertThat(CommandRun.of(new FakeEngine(), "dmesg", "-l", "info").out().lines()).hasSize(2);
    assertThat(CommandRun.of(new FakeEngine(), "dmesg", "-l", "error", "-o", "json").out())
        .isEqualTo("{\"lines\":[]}\n");
    assertThat(CommandRun.of(new FakeEngine(), "dmesg", "-l", "loud").code()).isEqualTo(2);
  }

  @Test
  void writesTheLevelBeforeALineWhenAskedTo() {
    assertThat(CommandRun.of(new FakeEngine(), "dmesg", "-x").out())
        .isEqualTo(
            """
            info    [    0.000017] Loading
            warning [   12.000345] low\\x1b[31m on space
            """);
  }

  @Test
  void followsOnlyLinesThatAreGraveEnough() {
    var engine =
        new FakeEngine()
            .next(() ->
                new CtrlReply.LogLines(
                    List.of(
                        new LogRing.Line(0, 1, LogRing.Level.INFO, "calm"),
                        new LogRing.Line(1, 2, LogRing.Level.ERROR, "bad"))))
            .refuse(Errno.EPIPE, "the engine went away", "");
    var result = CommandRun.of(engine, "dmesg", "--follow", "--level", "error");
    assertThat(result.out()).isEqualTo("[    0.000002] bad\n");
    assertThat(result.err()).contains("the engine went away (EPIPE)").doesNotContain("\tat ");
  }

  private Environment environment() {
    return new Environment(
        Map.of("LANG", "C.UTF-8", "BLKSNAP_RUN_DIR", run.toString()),
        1000,
        run,
        run,
        false,
        false,
        false);
  }
}
