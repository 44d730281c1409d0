package blksnap.sim.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/**
 * Engines that are killed, lose power and meet failing disks, on a simulated machine, against a
 * model of what they promise. Always the same seeds, from {@code -Dseed} on, as many as {@code
 * -Dblksnap.sim.runs} says; with {@code -Dblksnap.sim.minutes} other ones for that long.
 */
class SimulationTest {
  private static final long RUNS = 1_500;

  @Test
  void keepsEveryPromiseWhateverEndsTheEngine() {
    long first = Long.getLong("seed", 0);
    long minutes = Long.getLong("blksnap.sim.minutes", 0);
    if (minutes == 0) {
      assertThat(SimRuns.firstFailure(first, Long.getLong("blksnap.sim.runs", RUNS))).isEmpty();
      return;
    }
    long seed = first == 0 ? System.nanoTime() : first;
    long end = System.nanoTime() + Duration.ofMinutes(minutes).toNanos();
    while (System.nanoTime() < end) {
      assertThat(SimRuns.failure(seed++)).isEmpty();
    }
  }

  @Test
  void theSameSeedMakesTheSameCallsInTheSameOrder() {
    for (long seed = 0; seed < 80; seed++) {
      assertThat(digest(seed)).as("seed %d", seed).isEqualTo(digest(seed));
    }
  }

  private static long digest(long seed) {
    var run = new SimRun(seed);
    run.run();
    return run.digest();
  }
}
