package blksnap.sim.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SimRunTest {
  @Test
  void keepsEveryPromise() {
    long first = Long.getLong("seed", 0);
    long runs = Long.getLong("blksnap.sim.runs", 300);
    List<String> failures = new ArrayList<>();
    for (long seed = first; seed < first + runs; seed++) {
      var run = new SimRun(seed);
      try {
        run.run();
      } catch (AssertionError e) {
        java.io.StringWriter w = new java.io.StringWriter();
        e.printStackTrace(new java.io.PrintWriter(w));
        String st =
            java.util.Arrays.stream(w.toString().split("\n"))
                .filter(l -> l.contains("blksnap") || l.contains("Caused"))
                .limit(25)
                .collect(java.util.stream.Collectors.joining("\n"));
        failures.add(
            "seed "
                + seed
                + ": "
                + e.getMessage()
                + (failures.isEmpty() ? st + "\n" + run.story() : ""));
        if (failures.size() > 20) break;
      }
    }
    assertThat(failures).isEmpty();
  }
}
