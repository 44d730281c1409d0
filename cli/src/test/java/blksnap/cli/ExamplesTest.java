package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import blksnap.cli.command.Environment;
import blksnap.cli.testing.AllCommands;
import blksnap.cli.testing.Environments;
import blksnap.cli.testing.Examples;
import blksnap.cli.testing.FakeEngine;
import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every command in an example of a manual page or of the README is one that there is. */
final class ExamplesTest {
  /** They start something that stays, or need a file that an example only names. */
  private static final List<String> ONLY_UNDERSTOOD =
      List.of(
          "load",
          "shell",
          "demo",
          "backup",
          "backups",
          "verify",
          "restore",
          "prune",
          "dmesg --follow",
          "markdirtyblock --device=vm1 --file",
          "tracker_markdirtyblock --device=vm1 --file",
          "snapshot_appendstorage --id=$id --file",
          "stretch_snapshot");

  @TempDir private Path directory;

  @ParameterizedTest
  @MethodSource("commands")
  void succeeds(Examples.Found example) {
    List<String> words = example.words();
    String line = String.join(" ", words);
    if (isEndless(line) || ONLY_UNDERSTOOD.stream().anyMatch(begins(line))) {
      assertThatCode(() -> AllCommands.tree().full().parseArgs(words.toArray(String[]::new)))
          .as("%s", example)
          .doesNotThrowAnyException();
      return;
    }
    Environment user = Environments.user();
    var here = new Environment(user.variables(), 0, user.home(), directory, false, false, false);
    var run = CommandRun.of(FakeEngine.withOneEvent(), here, "", words.toArray(String[]::new));
    assertThat(run.code()).as("%s: %s", example, run.err()).isZero();
  }

  /** Whether a line begins with these words; the last of them may have a value behind it. */
  private static Predicate<String> begins(String line) {
    return words -> (line + " ").startsWith(words + " ") || line.startsWith(words + "=");
  }

  /** A view that is drawn anew until somebody ends it. */
  private static boolean isEndless(String line) {
    boolean view = line.contains(" --watch") || line.equals("top") || line.startsWith("top ");
    return view && !line.contains(" -n ");
  }

  @Test
  void areFoundWhole() throws IOException {
    List<List<String>> lines = commands().map(Examples.Found::words).toList();
    assertThat(lines)
        .contains(
            List.of("backup", "disk.img", "--to", "backups"),
            List.of("demo"),
            List.of("snapshot", "images", "monday", "-o", "plain"),
            List.of(
                "load",
                "--listen",
                "tcp:0.0.0.0",
                "--tls=required",
                "--tls-certificates",
                "/etc/pki/blksnap",
                "--tls-allow",
                "backup=*@*:ro",
                "--tls-allow",
                "hypervisor=vm*"));
  }

  @Test
  void areThereForEveryCommand() throws IOException {
    List<String> lines =
        commands().map(example -> String.join(" ", example.words()) + " ").toList();
    for (String command : AllCommands.leaves()) {
      assertThat(lines).as(command).anyMatch(line -> line.startsWith(command + " "));
    }
  }

  @Test
  void ofTheShellSucceedInAShell() throws IOException {
    String lines = String.join("\n", Examples.code("cli/docs/shell.md")) + "\n";
    var engine = new FakeEngine();
    var run = CommandRun.of(engine, Environments.user(), lines, "shell");
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
    assertThat(engine.requests())
        .contains(
            new CtrlRequest.Cat("/sys/block/vm1/cbt/dirty_blocks"),
            new CtrlRequest.Echo("/sys/module/blksnap/parameters/chunk_maximum_in_cache", "64"));
  }

  static Stream<Examples.Found> commands() throws IOException {
    return Examples.all().stream();
  }
}
