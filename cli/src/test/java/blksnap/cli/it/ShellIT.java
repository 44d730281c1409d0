package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The interactive shell as it is started by its users: in a terminal, over a real engine. */
@Timeout(300)
final class ShellIT {
  private static final int MIB = 1 << 20;
  private static final Path TOP =
      Objects.requireNonNull(
          Path.of(System.getProperty("basedir", "")).toAbsolutePath().getParent());

  @TempDir private Path directory;
  private Lab lab;
  private TypedTerminal terminal;

  @BeforeEach
  void openATerminal() throws Exception {
    TypedTerminal.require();
    Lab.need("bash");
    lab = new Lab(directory);
    lab.load();
    lab.ok("attach", lab.sparse("web.img", 4L * MIB).toString());
    Map<String, String> variables = new HashMap<>(lab.variables());
    variables.put("PATH", TOP.resolve("cli/bin") + ":" + System.getenv("PATH"));
    variables.put("XDG_STATE_HOME", lab.path("home").toString());
    variables.put("LANG", "C.UTF-8");
    variables.put("TERM", "xterm");
    terminal =
        TypedTerminal.start(lab.path("tmux"), variables, "bash", "--norc", "--noprofile", "-i");
    enter("PS1='outside> ' && clear").awaitLine("outside>");
  }

  @AfterEach
  void close() throws Exception {
    if (terminal != null) {
      terminal.close();
    }
    lab.close();
  }

  private TypedTerminal enter(String line) throws Exception {
    return terminal.type(line).press("Enter");
  }

  /** Waits until the last line of the screen that is not empty is this. */
  private void awaitLast(String line) throws Exception {
    Lab.until(
        "'" + line + "' at the end",
        () ->
            terminal
                .screen()
                .lines()
                .reduce("", (before, now) -> now.isEmpty() ? before : now)
                .equals(line));
  }

  @Test
  void readsLinesCompletesThemAndKeepsThemForItsUserAlone() throws Exception {
    enter("blksnap");
    awaitLast("blksnap>");
    terminal.type("cd /sys/bl").press("Tab").type("w").press("Tab");
    awaitLast("blksnap> cd /sys/block/web/");
    terminal.press("Enter");
    awaitLast("blksnap:/sys/block/web>");
    enter("cat size");
    terminal.awaitLine(Long.toString(4L * MIB));
    awaitLast("blksnap:/sys/block/web>");
    terminal.resize(60, 20).type("cat cbt/block_s").press("Tab");
    awaitLast("blksnap:/sys/block/web> cat cbt/block_size");
    terminal.press("Enter").awaitLine("65536");
    enter("exit").awaitLine("outside>");
    Path history = lab.path("home").resolve("blksnap/history");
    assertThat(Files.readString(history)).contains("cat cbt/block_size");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(history)))
        .isEqualTo("rw-------");
  }

  @Test
  void givesUpALongCommandAtCtrlCAndFindsAnEngineAgainThatWasKilled() throws Exception {
    enter("blksnap shell");
    awaitLast("blksnap>");
    enter("snapshot create web --storage " + lab.path("storage") + " --name s --take");
    terminal.type("snapshot wait s --timeout 100000").press("Enter");
    Lab.until(
        "the line is read", () -> terminal.screen().stripTrailing().endsWith("--timeout 100000"));
    Lab.until(
        "it is interrupted",
        () -> {
          terminal.press("C-c"); // one that comes before the command runs is for nobody
          Lab.pause(300);
          return terminal.screen().contains("(EINTR)");
        });
    awaitLast("blksnap>");
    lab.kill();
    enter("devices");
    awaitLast("blksnap[not loaded]>");
    assertThat(terminal.screen()).contains("the engine went away");
    enter("load");
    awaitLast("blksnap>");
    assertThat(terminal.screen())
        .contains("was killed or died", "an engine is there again")
        .doesNotContain("Exception", "\tat ");
    terminal.press("C-l");
    enter("snapshot images s -o plain").awaitLine("web "); // a tab as it is shown
    enter("unload --force");
    awaitLast("blksnap[not loaded]>");
    enter("exit").awaitLine("outside>");
  }

  @Test
  void givesTheScreenBackWhenASignalEndsIt() throws Exception {
    enter("blksnap top");
    Lab.until("the view is there", () -> terminal.isAlternate());
    ProcessHandle shell = ProcessHandle.of(terminal.pid()).orElseThrow();
    ProcessHandle view = shell.children().findFirst().orElseThrow();
    assertThat(view.destroy()).isTrue();
    Lab.until("it has ended", () -> !view.isAlive());
    Lab.until("the screen is back", () -> !terminal.isAlternate());
    terminal.press("C-l");
    enter("echo back").awaitLine("back");
  }
}
