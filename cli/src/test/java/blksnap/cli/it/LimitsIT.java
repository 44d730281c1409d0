package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** However an engine is started, its memory is bounded and it ends when that is used up. */
@Timeout(180)
final class LimitsIT {
  private static final String EXPORTS = "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED";
  private static final String[] LIMITS = {
    "-Xmx256m", "-XX:MaxDirectMemorySize=512m", "-XX:+ExitOnOutOfMemoryError"
  };

  @TempDir private Path directory;
  private Lab lab;

  @BeforeEach
  void make() {
    lab = new Lab(directory);
  }

  @AfterEach
  void end() {
    lab.close();
  }

  /** The command line of the engine that serves. */
  private List<String> words() throws IOException {
    String line = Files.readString(Path.of("/proc/" + lab.daemon().pid() + "/cmdline"));
    return List.of(line.split("\0", -1));
  }

  private void assertLimited() throws IOException {
    assertThat(words())
        .contains(LIMITS)
        .contains(EXPORTS, "-XX:+UseG1GC")
        .contains("-XX:ErrorFile=" + lab.state().resolve("crashed"));
  }

  @Test
  void boundsADaemonWhateverStandsBeforeItsCommand() throws Exception {
    lab.loadBy(Lab.launcher(), "--state-dir", lab.state().toString(), "-o", "json", "load");
    assertLimited();
    lab.unload();
  }

  @Test
  void boundsADaemonThatIsStartedWithoutTheLauncher() throws Exception {
    String classpath = System.getProperty("java.class.path");
    lab.loadBy(Lab.java(), "-cp", classpath, "blksnap.cli.Main", "load");
    assertLimited();
    lab.unload();
  }

  @Test
  void boundsAnEngineInTheForegroundWhateverStandsBeforeItsCommand() throws Exception {
    String[] command = {
      Lab.launcher(), "--color=never", "--state-dir", lab.state().toString(), "load", "--foreground"
    };
    try (Background engine = lab.start(lab.variables(), command)) {
      lab.awaitServing();
      assertThat(words()).contains(LIMITS).contains(EXPORTS);
      lab.ok("unload");
      assertThat(engine.await()).as(engine.output()).isZero();
    }
  }

  /** What Java is told for a line of the shell, which only asks for help or for the version. */
  private String flags(String line) throws Exception {
    Map<String, String> variables = new HashMap<>(lab.variables());
    variables.put("JAVA_TOOL_OPTIONS", "-XX:+PrintCommandLineFlags");
    var command = new ArrayList<>(List.of(Lab.launcher()));
    command.addAll(List.of(line.split(" ", -1)));
    try (Background started = lab.start(variables, command.toArray(String[]::new))) {
      return started
          .awaitSuccess()
          .lines()
          .filter(told -> told.startsWith("-XX:"))
          .toList()
          .getFirst();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "load --foreground --help",
        "--run-dir here load --help --foreground",
        "-o json --color never --state-dir=here load --foreground=true --help",
        "--embedded version",
        "version -o plain --embedded"
      })
  void boundsWhatHoldsAnEngine(String line) throws Exception {
    assertThat(flags(line))
        .contains("MaxHeapSize=268435456", "MaxDirectMemorySize=536870912")
        .contains("+ExitOnOutOfMemoryError", "+DisplayVMOutputToStderr");
  }

  @ParameterizedTest
  @ValueSource(strings = {"load --help", "--run-dir here version", "--state-dir backup version"})
  void startsOtherCommandsFast(String line) throws Exception {
    assertThat(flags(line)).contains("TieredStopAtLevel=1").doesNotContain("MaxHeapSize=268435456");
  }

  @ParameterizedTest
  @ValueSource(strings = {"--state-dir here backup --help", "-o json verify --help"})
  void boundsWhatReadsWholeDisks(String line) throws Exception {
    assertThat(flags(line)).contains("MaxHeapSize=268435456", "+UseSerialGC");
  }
}
