package blksnap.fuzz;

import blksnap.testing.Seeds;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * The cases of one fuzz test. {@code -Dfuzz.case=N} repeats only one, {@code -Dfuzz.times=N} makes
 * N times as many.
 *
 * @param first number of the first case
 * @param count how many
 */
public record FuzzRun(Seeds seeds, int first, int count) {
  public static FuzzRun ofCases(int usual) {
    Integer only = Integer.getInteger("fuzz.case");
    Seeds seeds = Seeds.ofRun();
    return only == null
        ? new FuzzRun(seeds, 0, Math.multiplyExact(usual, Integer.getInteger("fuzz.times", 1)))
        : new FuzzRun(seeds, only, 1);
  }

  public IntStream cases() {
    return IntStream.range(first, first + count);
  }

  public Random random(int number) {
    return seeds.random(number);
  }

  /** What a failure of the case has to say. */
  public String repeat(int number) {
    return seeds + " -Dfuzz.case=" + number;
  }

  /** For the test's output: how many cases in how long. */
  public String rate(String what, long nanos) {
    return "%s: %d cases, %.0f a second, %s"
        .formatted(what, count, count * 1e9 / Math.max(1, nanos), seeds);
  }
}
