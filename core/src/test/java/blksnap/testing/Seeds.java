package blksnap.testing;

import java.util.Random;

/**
 * Where a test's random choices come from: the same ones in every run, so that a change is judged
 * and not the day's luck; {@code -Dseed=random} makes new ones, {@code -Dseed=NUMBER} repeats those
 * of a run. Put it into the description of each assertion, so that a failure says how to repeat it.
 */
public record Seeds(long value) {
  private static final String PROPERTY = "seed";
  private static final String USUAL = "1";

  /**
   * @throws NumberFormatException when the property is neither a number nor {@code random}
   */
  public static Seeds ofRun() {
    String given = System.getProperty(PROPERTY, USUAL);
    return new Seeds(given.equals("random") ? new Random().nextLong() : Long.parseLong(given));
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
