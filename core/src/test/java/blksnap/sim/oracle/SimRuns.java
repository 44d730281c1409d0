package blksnap.sim.oracle;

import java.io.PrintWriter;
import java.io.StringWriter;

/** Runs of many seeds. */
public final class SimRuns {
  private SimRuns() {}

  /**
   * Runs the seeds {@code [first, first + count)}.
   *
   * @return what broke, how, and how to repeat it; empty when nothing did
   */
  public static String firstFailure(long first, long count) {
    for (long seed = first; seed < first + count; seed++) {
      String failure = failure(seed);
      if (!failure.isEmpty()) {
        return failure;
      }
    }
    return "";
  }

  /** As {@link #firstFailure}, of one seed. */
  static String failure(long seed) {
    var run = new SimRun(seed);
    try {
      run.run();
      return "";
    } catch (RuntimeException | AssertionError e) {
      var stack = new StringWriter();
      e.printStackTrace(new PrintWriter(stack));
      return "repeat with: mvn -pl core test -Dtest=SimulationTest -Dblksnap.sim.runs=1 -Dseed="
          + seed
          + "\n"
          + e.getMessage()
          + "\n"
          + run.story()
          + run.log()
          + "\n"
          + stack;
    }
  }
}
