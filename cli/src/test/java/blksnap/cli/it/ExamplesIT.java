package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.testing.Examples;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the README tells to type works as it stands there, and the manual can be read. */
@Timeout(240)
final class ExamplesIT {
  private static final int MIB = 1 << 20;

  @TempDir private Path directory;

  @Test
  void theReadmeCanBeTypedInLineByLine() throws Exception {
    Lab.need("nbdcopy", "bash");
    try (var lab = new Lab(directory)) {
      Path bin = Objects.requireNonNull(Path.of(Lab.launcher()).getParent());
      byte[] content = Files.readAllBytes(lab.disk("vm1.img", 2 * MIB));
      Map<String, String> variables = new HashMap<>(lab.variables());
      variables.put("PATH", bin + ":" + System.getenv("PATH"));
      String script =
          String.join("\n", byHand()).replaceAll("/var/lib/images|/var/tmp|/backup", ".");
      String line = "cd '" + directory + "'\n" + script;
      try (Background shell = lab.start(variables, "bash", "-euo", "pipefail", "-c", line)) {
        assertThat(shell.awaitSuccess()).contains("nbd+unix:///vm1?socket=", "OFFSET");
      } finally {
        if (Files.exists(lab.run().resolve("pid"))) {
          lab.kill();
        }
      }
      assertThat(Files.readAllBytes(lab.path("vm1.raw"))).isEqualTo(content);
    }
  }

  /** From {@code load} to {@code unload}; what stands before builds the program or is a test. */
  private static List<String> byHand() throws Exception {
    List<String> lines = Examples.code("README.md");
    List<String> byHand =
        lines.subList(lines.indexOf("blksnap load"), lines.size()).stream()
            .filter(line -> !line.isBlank())
            .toList();
    assertThat(byHand.getLast()).endsWith("blksnap unload");
    return byHand;
  }

  @Test
  void helpShowsTheManualPageOnATerminal() throws Exception {
    Lab.need("man", "script");
    try (var lab = new Lab(directory)) {
      Map<String, String> variables = new HashMap<>(lab.variables());
      variables.putAll(Map.of("MANPAGER", "cat", "MANWIDTH", "80", "TERM", "dumb"));
      String help = "'" + Lab.launcher() + "' help snapshot take";
      try (Background shell = lab.start(variables, "script", "-qec", help, "/dev/null")) {
        assertThat(shell.awaitSuccess())
            .contains("BLKSNAP-SNAPSHOT(1)", "blksnap-snapshot - Create, take")
            .doesNotContain("Usage:");
      }
    }
  }
}
