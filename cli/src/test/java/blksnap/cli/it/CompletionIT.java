package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.RealClients;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The Tab key in real shells, with a real engine to ask. */
@Timeout(300)
final class CompletionIT {
  private static final int MIB = 1 << 20;
  private static final Path TOP =
      Objects.requireNonNull(
          Path.of(System.getProperty("basedir", "")).toAbsolutePath().getParent());
  private static final String BASH_COMPLETION = "/usr/share/bash-completion/bash_completion";

  @TempDir private Path directory;

  @Test
  void completesInBash() throws Exception {
    Lab.need("bash");
    RealClients.require(Files.exists(Path.of(BASH_COMPLETION)), "bash-completion is not installed");
    completes(
        "source " + BASH_COMPLETION + " && source " + TOP.resolve("completions/blksnap.bash"),
        "bash",
        "--norc",
        "--noprofile",
        "-i");
  }

  @Test
  void completesInZsh() throws Exception {
    Lab.need("zsh");
    completes(
        "fpath=("
            + TOP.resolve("completions")
            + " $fpath) && autoload -Uz compinit && compinit -u -D",
        "zsh",
        "-f",
        "-i");
  }

  private void completes(String setup, String... shell) throws Exception {
    TypedTerminal.require();
    try (var lab = new Lab(directory)) {
      lab.load();
      lab.ok("attach", lab.sparse("web.img", 4L * MIB).toString());
      lab.ok("attach", lab.sparse("data.img", 4L * MIB).toString());
      String named = create(lab, "--name", "monday");
      String nameless = create(lab);
      Map<String, String> variables = new HashMap<>(lab.variables());
      variables.put("PATH", TOP.resolve("cli/bin") + ":" + System.getenv("PATH"));
      variables.put("LANG", "C.UTF-8");
      variables.put("TERM", "xterm");
      try (var terminal = TypedTerminal.start(lab.path("tmux"), variables, shell)) {
        terminal.type(setup + " && PS1='ready> ' && clear").press("Enter").awaitLine("ready>");
        line(terminal, "blksnap det", "blksnap detach");
        line(terminal, "blksnap detach w", "blksnap detach web");
        line(terminal, "blksnap cbt info d", "blksnap cbt info data");
        line(terminal, "blksnap snapshot take mon", "blksnap snapshot take monday");
        line(terminal, "blksnap param get free", "blksnap param get free_diff_buffer_pool_size");
        line(terminal, "blksnap devices --outp", "blksnap devices --output");
        line(
            terminal,
            "blksnap snapshot info " + nameless.substring(0, 8),
            "blksnap snapshot info " + nameless);
        terminal.type("blksnap snapshot info ").press("Tab", "Tab");
        Lab.until(
            "both snapshots are offered",
            () -> terminal.screen().contains("monday") && terminal.screen().contains(nameless));
        assertThat(terminal.screen()).doesNotContain(named);
        lab.ok("unload", "--force");
        terminal
            .press("C-u")
            .press("C-l")
            .type("blksnap detach w")
            .press("Tab")
            .type("X")
            .press("Tab")
            .type("Y");
        terminal.awaitLine("ready> blksnap detach wXY");
        assertThat(terminal.screen()).doesNotContain("blksnap:", "ENOENT", "ECONNREFUSED");
      }
    }
  }

  /** Types it and presses Tab; it must become the longer one. The line is thrown away then. */
  private static void line(TypedTerminal terminal, String typed, String completed)
      throws Exception {
    terminal.type(typed).press("Tab").awaitLine("ready> " + completed);
    terminal.press("C-u").press("C-l");
  }

  private static String create(Lab lab, String... options) {
    String[] words = new String[5 + options.length];
    System.arraycopy(
        new String[] {"snapshot", "create", "web", "--storage", lab.path("").toString()},
        0,
        words,
        0,
        5);
    System.arraycopy(options, 0, words, 5, options.length);
    return lab.ok(words);
  }
}
