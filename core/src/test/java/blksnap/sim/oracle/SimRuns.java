package blksnap.sim.oracle;

import java.io.PrintWriter;
import java.io.StringWriter;

/** Runs of many seeds. */
public final class SimRuns {
  /** What repeats a run of the engine as it is; its seed goes behind. */
  static final String REPEAT =
      "mvn -pl core test -Dtest=SimulationTest -Dblksnap.sim.runs=1 -Dseed=";

  private SimRuns() {}

  /**
   * Runs the seeds {@code [first, first + count)}.
   *
   * @param repeat the command that repeats one of them, up to its seed
   * @return what broke, how, and how to repeat it; empty when nothing did
   */
  public static String firstFailure(long first, long count, String repeat) {
    for (long seed = first; seed < first + count; seed++) {
      String failure = failure(seed, repeat);
      if (!failure.isEmpty()) {
        return failure;
      }
    }
    return "";
  }

  /** As {@link #firstFailure}, of one seed. */
  static String failure(long seed, String repeat) {
    var run = new SimRun(seed);
    try {
      run.run();
      return "";
    } catch (RuntimeException | AssertionError e) {
      var stack = new StringWriter();
      e.printStackTrace(new PrintWriter(stack));
      return "repeat with: "
          + repeat
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
