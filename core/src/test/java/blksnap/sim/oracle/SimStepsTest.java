package blksnap.sim.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The simulation with threads that give way before every statement, not only around calls to the
 * machine: kills and other threads come between any two stores to a mapped file or a field.
 */
@Timeout(value = 20, unit = TimeUnit.MINUTES)
class SimStepsTest {
  private static final List<String> PACKAGES =
      List.of("cbt", "device", "diffarea", "diffio", "diffstorage", "snapshot", "tracker");
  private static final int LEAST_STATEMENTS = 800;
  private static final long RUNS = 150;

  /** About one seed in a thousand has a kill just there. */
  private static final long RUNS_FOR_A_KILL_IN_BETWEEN = 10_000;

  private static final String REPEAT =
      "mvn -pl core test -Dtest=SimStepsTest -Dblksnap.sim.steps=1 -Dseed=";
  private static final String MAPPING_LOG = "diffarea/MappingLog.java";
  private static final String GIVE_WAY = "blksnap.sim.machine.SimScheduler.giveWay();\n";

  /** A call, an assignment or a count, on a line of its own. */
  private static final Pattern STATEMENT =
      Pattern.compile(
          " {4,}(?!return|throw|this\\(|super\\()"
              + "([\\w.\\[\\]]+\\(.*\\)|[\\w.\\[\\]]+ [-+|&^]?= .*|[\\w.\\[\\]]+(\\+\\+|--));");

  @TempDir Path classes;

  @Test
  void holdsWhatItPromisesWhereverAThreadIsStopped() throws Exception {
    var engine = new ChangedEngine(classes);
    stepAll(engine);
    long first = Long.getLong("seed", 0);
    long runs = Long.getLong("blksnap.sim.steps", RUNS);
    assertThat(engine.firstFailure(first, runs, REPEAT)).isEmpty();
  }

  /** No call to the machine is between the two stores, so nothing else finds it. */
  @Test
  void findsAMappingThatIsCountedBeforeItIsStored() throws Exception {
    var engine = new ChangedEngine(classes);
    String counts = "    files.getFirst().segment().set(LONG, COUNT, ~this.count);\n";
    String stores = "    record.set(LONG, 0, block);\n";
    String source = engine.source(MAPPING_LOG);
    assertThat(source).containsOnlyOnce(counts).containsOnlyOnce(stores);
    engine.change(
        MAPPING_LOG,
        source
            .replace(counts, "")
            .replace(stores, counts.replace("~this.count", "~(this.count + 1)") + stores));
    engine.change(MAPPING_LOG, giveWay(engine.source(MAPPING_LOG)));
    assertThat(engine.firstFailure(0, RUNS_FOR_A_KILL_IN_BETWEEN, REPEAT))
        .startsWith("repeat with: " + REPEAT);
  }

  private static void stepAll(ChangedEngine engine) throws IOException {
    long steps = 0;
    for (String name : PACKAGES) {
      for (Path file : sources(name)) {
        String path = ChangedEngine.SOURCES.relativize(file).toString();
        String source = engine.source(path);
        String stepped = giveWay(source);
        engine.change(path, stepped);
        steps += stepped.lines().count() - source.lines().count();
      }
    }
    assertThat(steps).as("statements found").isGreaterThan(LEAST_STATEMENTS);
  }

  private static List<Path> sources(String name) throws IOException {
    try (Stream<Path> files = Files.list(ChangedEngine.SOURCES.resolve(name))) {
      return files.filter(file -> !file.endsWith("package-info.java")).sorted().toList();
    }
  }

  private static String giveWay(String source) {
    var stepped = new StringBuilder();
    String before = "";
    for (String line : source.lines().toList()) {
      if (STATEMENT.matcher(line).matches() && before.matches(".*[;{}]")) {
        stepped.append(GIVE_WAY);
      }
      stepped.append(line).append('\n');
      if (!line.isBlank() && !line.strip().startsWith("//")) {
        before = line;
      }
    }
    return stepped.toString();
  }
}
