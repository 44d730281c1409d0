package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.command.EngineLink;
import blksnap.cli.command.Environment;
import blksnap.cli.repl.TypedShell;
import blksnap.cli.testing.FakeEngine;
import blksnap.ctrl.CtrlHandler;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The shell on a terminal, typed into key by key. */
@Timeout(60)
final class InteractiveTest {
  /** What a terminal is sent before a view that has the whole of it, and behind it. */
  private static final String ALTERNATE = "\u001b[?1049h";

  private static final String NORMAL = "\u001b[?1049l";

  /** What begins or ends a colour, or another style. */
  private static final String STYLE = "\u001b\\[[0-9;]*m";

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
    assertThat(engine.requests()).doesNotContain(new CtrlRequest.Detach("vm1"));
    assertThat(engine.requests()).doesNotContain(new CtrlRequest.Detach("vmx"));
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
    assertThat(permissionsOfHistory()).isEqualTo("rw-------");
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

  @Test
  void repeatsACommandInPlaceUntilQIsPressed() throws Exception {
    try (var shell = open(new FakeEngine())) {
      shell.awaitPrompt("blksnap> ").type("watch -i 0.1 snapshot list\r");
      shell.awaitText(ALTERNATE).awaitText("monday").type("q").awaitText(NORMAL);
      shell.awaitPrompt("blksnap> ").type("watch version\r").awaitText(ALTERNATE);
      shell.awaitText("1.0.0.0").type("\u0003").awaitText(NORMAL);
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
    }
  }

  @Test
  void asksTheEngineToGiveUpALongCommandAtCtrlC() throws Exception {
    var taking = new CountDownLatch(1);
    var cancelled = new CountDownLatch(1);
    CtrlHandler engine =
        request -> {
          if (request instanceof CtrlRequest.SnapshotTake) {
            taking.countDown();
            cancelled.await();
            throw new BlkSnapException(Errno.ECANCELED, "the take was cancelled");
          }
          return new CtrlReply.VersionInfo("1.0.0.0");
        };
    EngineLink link =
        new EngineLink() {
          @Override
          public CtrlHandler engine() {
            return engine;
          }

          @Override
          public boolean cancel() {
            cancelled.countDown();
            return true;
          }

          @Override
          public void close() {}
        };
    try (var shell = open(link)) {
      shell.awaitPrompt("blksnap> ").type("snapshot take monday\r");
      taking.await();
      shell.type("\u0003").awaitText("the take was cancelled (ECANCELED)");
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isEqualTo(1);
    }
  }

  @Test
  void saysInThePromptThatNoEngineIsLoadedAndWhenOneIsThereAgain() throws Exception {
    var there = new AtomicBoolean(true);
    CtrlHandler engine =
        request -> {
          if (!there.get()) {
            throw new BlkSnapException(Errno.ECONNREFUSED, "no engine is loaded");
          }
          return new FakeEngine().handle(request);
        };
    try (var shell = open(engine)) {
      shell.awaitPrompt("blksnap> ");
      there.set(false);
      shell.type("cat /x\r").awaitText("no engine is loaded (ECONNREFUSED)");
      shell.awaitText("the engine went away").awaitPrompt("blksnap[not loaded]> ");
      there.set(true);
      shell.type("cat /x\r").awaitText("18").awaitText("an engine is there again");
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
    }
  }

  @Test
  void saysInThePromptThatTheEngineIsGoing() throws Exception {
    var going = new AtomicBoolean();
    CtrlHandler engine =
        request -> {
          if (going.get()) {
            throw new BlkSnapException(Errno.ESHUTDOWN, "the engine is going, not live");
          }
          return new FakeEngine().handle(request);
        };
    try (var shell = open(engine)) {
      shell.awaitPrompt("blksnap> ");
      going.set(true);
      shell.type("devices\r").awaitText("the engine is going, not live (ESHUTDOWN)");
      shell.awaitPrompt("blksnap[going]> ").type("\u0004");
      assertThat(shell.awaitEnd()).isEqualTo(1);
    }
  }

  @Test
  void showsWhatCompletionsMean() throws Exception {
    try (var shell = open(new FakeEngine())) {
      shell.awaitPrompt("blksnap> ").type("de\t\t");
      shell.awaitText("(List the attached devices").type("\u0003");
      shell.awaitPrompt("blksnap> ").type("cbt info \t\t");
      shell.awaitText("/srv/vm1.img, 10G").type("\u0003");
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
    }
  }

  @Test
  void sendsNoStyleWithoutColour() throws Exception {
    Environment environment = terminal().with("NO_COLOR", "1");
    try (var shell = open(environment, always(new FakeEngine()))) {
      shell.awaitPrompt("blksnap> ").type("de\t").awaitText("List the attached");
      shell.type("\t\t\u0015cbt info \t"); // Ctrl-U: Ctrl-C would overtake the tabs
      shell.awaitText("/srv/vm1.img, 10G").type("\t\t\u0015x").awaitText("x").type("\u0003");
      shell.awaitPrompt("blksnap> ").type("cat 'x' --debug\r").awaitText("18");
      shell.awaitPrompt("blksnap> ").type("nothing\r").awaitText("unknown command");
      shell.awaitPrompt("blksnap> ").type("\u0012cat").awaitText("'x'").type("\r");
      shell.awaitText("18").awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
      assertThat(shell.sent()).doesNotContainPattern(STYLE);
    }
  }

  @Test
  void offersNothingButTakesLinesOnADumbTerminal() throws Exception {
    try (var shell = open(terminal().with("TERM", "dumb"), always(new FakeEngine()))) {
      shell.awaitPrompt("blksnap> ").type("cat /x\r").awaitText("18");
      shell.awaitPrompt("blksnap> ").type("nothing\r").awaitText("unknown command");
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isEqualTo(2);
      assertThat(shell.sent()).doesNotContain("\u001b");
    }
  }

  @Test
  void listsWhatATabMayMeanInColour() throws Exception {
    try (var shell = open(new FakeEngine())) {
      shell.awaitPrompt("blksnap> ").type("de\t").awaitText("List the attached");
      shell.type("\u0003").awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
      assertThat(shell.sent()).containsPattern(STYLE);
    }
  }

  @Test
  void searchesItsHistoryBackwards() throws Exception {
    var engine = new FakeEngine();
    try (var shell = open(engine)) {
      shell.awaitPrompt("blksnap> ").type("cat /first\r").awaitText("18");
      shell.awaitPrompt("blksnap> ").type("version\r").awaitText("1.0.0.0");
      shell.awaitPrompt("blksnap> ").type("\u0012fir").awaitText("bck-i-search").type("\r");
      shell.awaitText("18").awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
    }
    assertThat(engine.requests().stream().filter(new CtrlRequest.Cat("/first")::equals)).hasSize(2);
  }

  @Test
  void takesATextBetweenQuotesOverTwoLinesAndKeepsNoLineThatBeginsWithABlank() throws Exception {
    var engine = new FakeEngine();
    try (var shell = open(engine)) {
      shell.awaitPrompt("blksnap> ").type("cat '/a\r").awaitText("> ").type("b'\r");
      shell.awaitText("18").awaitPrompt("blksnap> ").type(" cat /hidden\r").awaitText("18");
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
    }
    assertThat(engine.requests()).contains(new CtrlRequest.Cat("/a\nb"));
    assertThat(history()).content().contains("cat").doesNotContain("hidden");
  }

  @Test
  void keepsNoLineWhoseCommandsMayHoldASecret() throws Exception {
    try (var shell = open(new FakeEngine())) {
      for (String line :
          new String[] {
            "--pre 'dump -pSECRET'", "--post=SECRET", "--name 'a\rb' --pre SECRET", "--pre"
          }) {
        shell.awaitPrompt("blksnap> ").type("snapshot take monday " + line + "\r");
      }
      shell.awaitPrompt("blksnap> ").type("cat /pre--post\r").awaitText("18");
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
    }
    assertThat(Files.readAllLines(history()))
        .hasSize(1)
        .allMatch(line -> line.endsWith(":cat /pre--post"));
  }

  @Test
  void keepsSoManyLinesInAFileThatItClosesToOthers() throws Exception {
    Files.createDirectories(history().getParent());
    List<String> lines = new ArrayList<>(List.of("damaged"));
    for (int line = 0; line < 1300; line++) {
      lines.add("1700000000000:cat /" + line);
    }
    Files.write(history(), lines);
    Files.setPosixFilePermissions(history(), PosixFilePermissions.fromString("rw-r--r--"));
    try (var shell = open(new FakeEngine())) {
      shell.awaitPrompt("blksnap> ");
      assertThat(permissionsOfHistory()).isEqualTo("rw-------");
      shell.type("\u0010").awaitText("/1299").type("\u0015cat /last\r").awaitText("18");
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
    }
    assertThat(permissionsOfHistory()).isEqualTo("rw-------");
    List<String> kept = Files.readAllLines(history());
    assertThat(kept).hasSizeBetween(1000, 1250);
    assertThat(kept.getLast()).endsWith(":cat /last");
    assertThat(kept.get(kept.size() - 2)).endsWith(":cat /1299");
  }

  @Test
  void goesOnWithALineWhileItsWindowIsResized() throws Exception {
    try (var shell = open(new FakeEngine())) {
      shell.awaitPrompt("blksnap> ").type("cat /aaaaaaaaaaaaaaaaaaaaaaaaaaaax").awaitText("x");
      shell.resize(20, 5).type("\r").awaitText("18");
      shell.awaitPrompt("blksnap> ").type("\u0004");
      assertThat(shell.awaitEnd()).isZero();
    }
  }

  private Path history() {
    return home.resolve(".local/state/blksnap/history");
  }

  private String permissionsOfHistory() throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(history()));
  }

  private TypedShell open(CtrlHandler engine) throws IOException {
    return open(always(engine));
  }

  private static EngineLink always(CtrlHandler engine) {
    return new EngineLink() {
      @Override
      public CtrlHandler engine() {
        return engine;
      }

      @Override
      public void close() {}
    };
  }

  private TypedShell open(EngineLink link) throws IOException {
    return open(terminal(), link);
  }

  private static TypedShell open(Environment environment, EngineLink link) throws IOException {
    return TypedShell.open(environment, link, context -> new CommandTree(context).withoutShell());
  }

  private Environment terminal() {
    return new Environment(
        Map.of("LANG", "C.UTF-8", "TERM", "xterm", "XDG_RUNTIME_DIR", "/run/user/1000"),
        1000,
        home,
        home,
        true,
        true,
        true);
  }
}
