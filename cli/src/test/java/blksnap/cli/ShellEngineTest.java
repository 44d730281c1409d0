package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.command.Environment;
import blksnap.cli.repl.TypedShell;
import blksnap.testing.Bytes;
import blksnap.testing.TestEngine;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The shell over a real engine: one behind the control socket, or one inside the shell. */
@Timeout(120)
final class ShellEngineTest {
  private static final int SIZE = 4 << 20;

  @TempDir private Path directory;
  private Path disk = Path.of("");

  @BeforeEach
  void makeADisk() throws IOException {
    disk = Files.write(directory.resolve("vm1.img"), Bytes.repeated('a', SIZE));
  }

  @Test
  void runsAllLinesOfAScriptInOneEmbeddedEngine() {
    String script =
        """
        attach %s
        snapshot create vm1 --storage %s --name night --durability none --take
        cd /sys/fs/blksnap/night
        cat state
        ls
        cat state --embedded
        devices -o plain
        """
            .formatted(disk, directory.resolve("night.diff"));
    var run = script(script);
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
    assertThat(run.out().lines().toList())
        .containsSubsequence("taken", "state", "storage/", "taken")
        .last()
        .asString()
        .startsWith("vm1\t" + disk + "\t" + SIZE + "\t");
    assertThat(directory.resolve("run/ctrl.sock")).doesNotExist();
    assertThat(script("snapshot list -o plain\n")).isEqualTo(new CommandRun(0, "", ""));
  }

  @Test
  void walksTheTreeOfARealEngineAndSetsAValueInIt() {
    var run =
        script(
            """
            ls /sys/module
            cd /sys/module/blksnap/parameters
            echo 64 > chunk_maximum_in_cache
            cat chunk_maximum_in_cache
            param get chunk_maximum_in_cache
            tree /sys/class/blksnap
            echo none > chunk_maximum_in_cache
            """);
    assertThat(run.out())
        .startsWith("blksnap/\n64\n64\n/sys/class/blksnap\n├── ctrl")
        .contains("\n└── nbd");
    assertThat(run.err()).contains("(EINVAL)", "line 7 failed").doesNotContain("line 6");
  }

  @Test
  void showsTheProtocolOfAnEmbeddedEngineForOneLine() {
    var run = script("cat /sys/module/blksnap/initstate\ndetach none --debug\ndevices\n");
    assertThat(run.err().lines().filter(line -> line.startsWith("-->") || line.startsWith("<--")))
        .containsExactly(
            "--> {\"jsonrpc\":\"2.0\",\"blksnap\":1,\"id\":1,\"method\":\"detach\","
                + "\"params\":{\"device\":\"none\"}}",
            "<-- {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":19,\"message\":"
                + "\"there is no device 'none'\",\"data\":{\"errno\":\"ENODEV\"}}}");
  }

  @Test
  void takesTypedLinesOverAnEmbeddedEngine() throws Exception {
    String prompt = "blksnap[embedded]> ";
    try (var shell = open(true)) {
      shell.awaitPrompt(prompt).type("attach " + disk + "\r");
      shell.awaitPrompt(prompt).type("cd /sys/block/v\t\r");
      shell.awaitPrompt("blksnap[embedded]:/sys/block/vm1> ").type("cat size\r");
      shell.awaitText("" + SIZE).awaitText("vm1> ").type("cd\r").awaitPrompt(prompt);
      shell.type("snapshot create v\t --storage " + directory.resolve("s") + " --name night\r");
      shell.awaitPrompt(prompt).type("snapshot wait ni\t --timeout 100000\r");
      shell.awaitText("--timeout 100000");
      interrupt(shell, "(EINTR)");
      shell.awaitPrompt(prompt).type("detach vm1\r").awaitText("(EBUSY)");
      shell.awaitPrompt(prompt).type("exit\r");
      assertThat(shell.awaitEnd()).isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void undoesATakeAtCtrlC(boolean embedded) throws Exception {
    String prompt = embedded ? "blksnap[embedded]> " : "blksnap> ";
    Path begun = directory.resolve("begun");
    Path after = directory.resolve("after");
    String hooks = " --pre 'touch " + begun + "; sleep 60' --post 'touch " + after + "'\r";
    String storage = " --storage " + directory.resolve("storage");
    try (var _ = embedded ? null : engine();
        var shell = open(embedded)) {
      shell.awaitPrompt(prompt).type("attach " + disk + "\r");
      shell.awaitPrompt(prompt).type("snapshot create vm1 --name night" + storage + "\r");
      shell.awaitPrompt(prompt).type("snapshot take night" + hooks);
      await(begun, Files::exists);
      shell.type("\u0003").awaitText("was cancelled, and nothing is changed (ECANCELED)");
      assertThat(after).exists();
      shell.awaitPrompt(prompt).type("cat /sys/fs/blksnap/night/state\r").awaitText("created\r\n");
      shell.awaitPrompt(prompt).type("snapshot destroy night\r").awaitPrompt(prompt);

      Files.delete(begun);
      shell.type("snapshot create vm1 --name new --take" + storage + hooks);
      await(begun, Files::exists);
      shell.type("\u0003").awaitText("was cancelled, and nothing is changed (ECANCELED)");
      shell.awaitPrompt(prompt).type("snapshot info new\r").awaitText("(ESRCH)");
      shell.awaitPrompt(prompt).type("exit\r");
      shell.awaitEnd();
    }
  }

  @ParameterizedTest
  @CsvSource({"false, false", "false, true", "true, false"})
  void leavesNothingOfABackupAtCtrlC(boolean embedded, boolean inHook) throws Exception {
    String prompt = embedded ? "blksnap[embedded]> " : "blksnap> ";
    Path store = directory.resolve("store");
    Path begun = directory.resolve("begun");
    String slow = inHook ? "--pre 'touch " + begun + "; sleep 60'" : "--limit-rate 4K";
    String places = " --to " + store + " --storage " + directory + " ";
    try (var _ = embedded ? null : engine();
        var shell = open(embedded)) {
      shell.awaitPrompt(prompt).type("backup " + disk + places + slow + "\r");
      if (inHook) {
        await(begun, Files::exists);
      } else {
        await(store, ShellEngineTest::holdsData);
      }
      shell.type("\u0003").awaitText("blksnap: "); // interrupted or cancelled, as it was met
      shell.awaitPrompt(prompt).type("backups " + store + " -o json\r");
      shell
          .awaitText("{\"points\":[],\"damaged\":[]}")
          .awaitPrompt(prompt)
          .type("snapshot list -o json\r");
      shell.awaitText("{\"snapshots\":[]}").awaitPrompt(prompt).type("devices -o json\r");
      shell.awaitText("{\"devices\":[]}").awaitPrompt(prompt).type("exit\r");
      assertThat(shell.awaitEnd()).isZero();
      assertThat(holdsData(store)).isFalse();
    }
  }

  private TestEngine engine() throws IOException {
    return new TestEngine(directory, TestEngine.config(directory, TestEngine.SMALL, true));
  }

  /** Whether some file below a directory, if that is there, has a byte. */
  private static boolean holdsData(Path directory) {
    try (Stream<Path> files = Files.walk(directory)) {
      return files.anyMatch(file -> Files.isRegularFile(file) && file.toFile().length() > 0);
    } catch (IOException | UncheckedIOException _) {
      return false;
    }
  }

  private static void await(Path path, Predicate<Path> wanted) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!wanted.test(path)) {
      assertThat(System.nanoTime() - deadline).as("%s is not so", path).isNegative();
      LockSupport.parkNanos(1_000_000);
    }
  }

  /**
   * Presses Ctrl-C until something is said; one that comes before the command runs is for nobody.
   */
  private static void interrupt(TypedShell shell, String text) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!shell.sent().contains(text)) {
      assertThat(System.nanoTime() - deadline).as(text).isNegative();
      shell.type("\u0003");
      LockSupport.parkNanos(300_000_000);
    }
    shell.awaitText(text);
  }

  private TypedShell open(boolean embedded) throws IOException {
    return TypedShell.open(
        environment(true),
        Main.opener(),
        context -> new CommandTree(context).withoutShell(),
        embedded ? new String[] {"--embedded"} : new String[] {});
  }

  private CommandRun script(String lines) {
    var out = new StringWriter();
    var err = new StringWriter();
    int code =
        Main.run(
            new String[] {"--embedded", "shell", "--keep-going"},
            environment(false),
            Main.opener(),
            new ByteArrayInputStream(lines.getBytes(StandardCharsets.UTF_8)),
            new PrintWriter(out),
            new PrintWriter(err));
    return new CommandRun(code, out.toString(), err.toString());
  }

  private Environment environment(boolean terminal) {
    return new Environment(
        Map.of(
            "LANG", "C.UTF-8",
            "TERM", "xterm",
            "NO_COLOR", "1",
            "BLKSNAP_RUN_DIR", directory.resolve("run").toString(),
            "BLKSNAP_STATE_DIR", directory.resolve("state").toString()),
        0,
        directory,
        directory,
        terminal,
        terminal,
        terminal);
  }
}
