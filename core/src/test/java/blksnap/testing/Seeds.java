package blksnap.testing;

import java.util.Random;

/**
 * Where a test's random choices come from: {@code -Dseed=NUMBER} repeats a run exactly, else every
 * run differs. Put it into the description of each assertion, so that a failure says how to repeat
 * it.
 */
public record Seeds(long value) {
  private static final String PROPERTY = "seed";

  public static Seeds fromPropertyOrRandom() {
    Long given = Long.getLong(PROPERTY);
    return new Seeds(given == null ? new Random().nextLong() : given);
  }

  /** A source of its own; two of them give the same numbers. */
  public Random random() {
    return new Random(value);
  }

  /** A source of its own for one of several threads or rounds. */
  public Random random(int part) {
    return new Random(value + 0x9e37_79b9_7f4a_7c15L * (part + 1));
  }

  @Override
  public String toString() {
    return "-D" + PROPERTY + "=" + value;
  }
}
