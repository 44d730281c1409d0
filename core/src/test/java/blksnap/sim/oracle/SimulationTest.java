package blksnap.sim.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Engines that are killed, lose power and meet failing disks, on a simulated machine, against a
 * model of what they promise. Always the same seeds, from {@code -Dseed} on, as many as {@code
 * -Dblksnap.sim.runs} says; with {@code -Dblksnap.sim.minutes} other ones for that long.
 */
@Timeout(value = 30, unit = TimeUnit.MINUTES)
class SimulationTest {
  private static final int MOST_TRIES = 4;
  private static final long RUNS = 2_000;

  @Test
  void keepsEveryPromiseWhateverEndsTheEngine() {
    long first = Long.getLong("seed", 0);
    long minutes = Long.getLong("blksnap.sim.minutes", 0);
    if (minutes == 0) {
      long runs = Long.getLong("blksnap.sim.runs", RUNS);
      assertThat(SimRuns.firstFailure(first, runs, SimRuns.REPEAT)).isEmpty();
      return;
    }
    long seed = first == 0 ? System.nanoTime() : first;
    long end = System.nanoTime() + Duration.ofMinutes(minutes).toNanos();
    while (System.nanoTime() < end) {
      assertThat(SimRuns.failure(seed++, SimRuns.REPEAT)).isEmpty();
    }
  }

  /**
   * Once in a few hundred runs Java itself disturbs the order, when it is short of memory, and any
   * run may be that one. What is no choice of the seed shows in nearly every run.
   */
  @Test
  void theSameSeedMakesTheSameCallsInTheSameOrder() {
    for (long seed = 0; seed < 80; seed++) {
      Set<Long> seen = new HashSet<>();
      while (seen.size() < MOST_TRIES && seen.add(digest(seed))) {}
      assertThat(seen).as("different runs of seed %d", seed).hasSizeLessThan(MOST_TRIES);
    }
  }

  private static long digest(long seed) {
    var run = new SimRun(seed);
    run.run();
    return run.digest();
  }
}
