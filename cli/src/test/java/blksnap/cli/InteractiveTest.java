package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.command.EngineLink;
import blksnap.cli.command.Environment;
import blksnap.cli.repl.TypedShell;
import blksnap.cli.testing.FakeEngine;
import blksnap.ctrl.CtrlHandler;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The shell on a terminal, typed into key by key. */
@Timeout(60)
final class InteractiveTest {
  /** What a terminal is sent before a view that has the whole of it, and behind it. */
  private static final String ALTERNATE = "\u001b[?1049h";

  private static final String NORMAL = "\u001b[?1049l";

  @TempDir private Path home;

  @Test
  void runsALineAndLeavesAtCtrlD() throws Exception {
    try (var shell = open(new FakeEngine())) {
      shell.awaitPrompt("blksnap> ").type("version\r").awaitText("1.0.0.0");
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
    }
  }

  @Test
  void leavesAtExitWithTheCodeOfTheLineBefore() throws Exception {
    try (var shell = open(new FakeEngine())) {
      shell.awaitPrompt("blksnap> ").type("detach\r").awaitText("missing required parameter");
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isEqualTo(2);
    }
  }

  @Test
  void showsThePlaceInThePrompt() throws Exception {
    try (var shell = open(new FakeEngine())) {
      shell.awaitPrompt("blksnap> ").type("cd /sys/block/vm1\r");
      shell.awaitPrompt("blksnap:/sys/block/vm1> ").type("exit\r");
      assertThat(shell.awaitEnd()).isZero();
    }
  }

  @Test
  void cancelsTheLineAtCtrlC() throws Exception {
    var engine = new FakeEngine();
    try (var shell = open(engine)) {
      shell.awaitPrompt("blksnap> ").type("detach vmx").awaitText("x").type("\u0003");
      shell.awaitPrompt("blksnap> ").type("version\r").awaitText("1.0.0.0");
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
    }
    assertThat(engine.requests()).isEmpty();
  }

  @Test
  void endsAWaitingCommandAtCtrlCAndGoesOn() throws Exception {
    var waiting = new CountDownLatch(1);
    CtrlHandler engine =
        request -> {
          if (request instanceof CtrlRequest.SnapshotWait) {
            waiting.countDown();
            new CountDownLatch(1).await();
          }
          return new CtrlReply.VersionInfo("live");
        };
    try (var shell = open(engine)) {
      shell.awaitPrompt("blksnap> ").type("snapshot wait monday\r");
      waiting.await();
      shell.type("\u0003").awaitText("interrupted (EINTR)");
      shell.awaitPrompt("blksnap> ").type("version\r").awaitText("1.0.0.0");
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
    }
  }

  @Test
  void completesCommandsAndLiveNames() throws Exception {
    var engine = new FakeEngine();
    try (var shell = open(engine)) {
      shell.awaitPrompt("blksnap> ").type("deta\tdat\t\r");
      shell.awaitPrompt("blksnap> ").type("snap\tta\tmon\t\r");
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
    }
    assertThat(engine.requests())
        .contains(new CtrlRequest.Detach("data"), new CtrlRequest.SnapshotTake("monday"));
  }

  @Test
  void findsALineOfAnEarlierSessionInItsHistory() throws Exception {
    try (var shell = open(new FakeEngine())) {
      shell.awaitPrompt("blksnap> ").type("cat /earlier!\r").awaitText("18");
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
    }
    var engine = new FakeEngine();
    try (var shell = open(engine)) {
      shell.awaitPrompt("blksnap> ").type("\u0010\r").awaitText("18"); // Ctrl-P: the line before
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
    }
    assertThat(engine.requests()).contains(new CtrlRequest.Cat("/earlier!"));
    Path history = home.resolve(".local/state/blksnap/history");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(history)))
        .isEqualTo("rw-------");
  }

  @Test
  void redrawsTheTreeInPlaceUntilQIsPressed() throws Exception {
    try (var shell = open(new FakeEngine())) {
      shell.awaitPrompt("blksnap> ").type("status /sys/module --watch=0.1\r");
      shell.awaitText(ALTERNATE).awaitText("/sys/module").awaitText("initstate");
      shell.type("q").awaitText(NORMAL);
      shell.awaitPrompt("blksnap> ").type("version\r").awaitText("1.0.0.0");
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
    }
  }

  @Test
  void movesInATreeThatIsLongerThanTheWindowAndFollowsItsSize() throws Exception {
    try (var shell = open(new FakeEngine())) {
      shell.awaitPrompt("blksnap> ").resize(60, 3).type("status /sys --watch\r");
      shell.awaitText(ALTERNATE).awaitText("blksnap");
      shell.type("jjjjj\u001b[B\u001b[6~").awaitText("vm1").awaitText("ro");
      shell.type("\u001b[A\u001b[5~kkkkkkk").awaitText("/sys");
      shell.resize(60, 12).awaitText("/sys").awaitText("vm1");
      shell.type("q").awaitText(NORMAL).awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
    }
  }

  @Test
  void sortsTopByAKeyAndLeavesItAtCtrlC() throws Exception {
    try (var shell = open(new FakeEngine())) {
      shell.awaitPrompt("blksnap> ").type("top -i 0.1\r");
      shell.awaitText(ALTERNATE).awaitText("by name").awaitText("vm1");
      shell.type("w").awaitText("by write").type("v").awaitText("from below");
      shell.type("\u0003").awaitText(NORMAL);
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
    }
  }

  private TypedShell open(CtrlHandler engine) throws IOException {
    var environment =
        new Environment(
            Map.of("LANG", "C.UTF-8", "TERM", "xterm", "XDG_RUNTIME_DIR", "/run/user/1000"),
            1000,
            home,
            home,
            true,
            true,
            true);
    EngineLink.Opener opener =
        (_, _) ->
            new EngineLink() {
              @Override
              public CtrlHandler engine() {
                return engine;
              }

              @Override
              public void close() {}
            };
    return TypedShell.open(environment, opener, context -> new CommandTree(context).withoutShell());
  }
}
