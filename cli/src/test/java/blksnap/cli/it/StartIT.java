package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a command that lives for a blink leaves undone. */
@Timeout(180)
final class StartIT {
  @TempDir private Path directory;

  private Lab lab;

  @BeforeEach
  void prepare() {
    lab = new Lab(directory);
  }

  @AfterEach
  void end() {
    lab.close();
  }

  private String start(Map<String, String> more, String word) throws Exception {
    Map<String, String> variables = new HashMap<>(lab.variables());
    variables.putAll(more);
    List<String> command = new ArrayList<>(List.of(Lab.launcher()));
    command.add(word);
    try (Background started = lab.start(variables, command.toArray(String[]::new))) {
      return started.awaitSuccess();
    }
  }

  /** What is not there is looked for in every jar; then a command takes half as long again. */
  @Test
  void opensNoJarToAnswerOneCommand() throws Exception {
    lab.load();
    lab.ok("attach", lab.disk("vm1.img", Lab.BLOCK).toString());
    for (String word : List.of("version", "devices")) {
      assertThat(start(Map.of(), word)).isNotEmpty(); // the first one makes the start-up archive
      Path log = lab.path(word);
      String option = "-Xlog:class+init=info:file=" + log;
      assertThat(start(Map.of("JAVA_TOOL_OPTIONS", option), word)).isNotEmpty();
      assertThat(Files.readString(log))
          .contains("blksnap/cli/command")
          .doesNotContain("jdk/internal/loader/URLClassPath$JarLoader");
    }
  }
}
