package blksnap.cli.live;

import java.util.Comparator;
import java.util.OptionalLong;

/** By what rows are sorted; the most remarkable first, and equal ones by name. */
public enum TopOrder {
  NAME("name", 'n', Comparator.comparing(TopRow::name)),
  IOPS("iops", 'i', Comparator.comparingDouble(TopRow::iops).reversed()),
  READ("read", 'r', Comparator.comparingDouble(TopRow::readBytes).reversed()),
  WRITE("write", 'w', Comparator.comparingDouble(TopRow::writeBytes).reversed()),
  LATENCY("latency", 'l', most(TopRow::p99Micros)),
  COPIED("copied", 'c', Comparator.comparingLong(TopRow::copied).reversed()),
  LEFT("left", 'f', least(TopRow::left));

  private interface Figure {
    OptionalLong of(TopRow row);
  }

  private final String word;
  private final char key;

  @SuppressWarnings("ImmutableEnumChecker") // it is made of functions without a state
  private final Comparator<TopRow> comparator;

  TopOrder(String word, char key, Comparator<TopRow> comparator) {
    this.word = word;
    this.key = key;
    this.comparator = comparator;
  }

  private static Comparator<TopRow> most(Figure figure) {
    return Comparator.comparingLong((TopRow row) -> figure.of(row).orElse(-1)).reversed();
  }

  private static Comparator<TopRow> least(Figure figure) {
    return Comparator.comparingLong((TopRow row) -> figure.of(row).orElse(Long.MAX_VALUE));
  }

  public String word() {
    return word;
  }

  /** Which key chooses it. */
  public char key() {
    return key;
  }

  public Comparator<TopRow> comparator() {
    return comparator.thenComparing(TopRow::name);
  }
}
