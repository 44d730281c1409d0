package blksnap.cli.command;

import java.util.Locale;

/** When colour is used; the names are what a user types. */
public enum ColorMode {
  AUTO,
  ALWAYS,
  NEVER;

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Whether to colour what goes to a stream. Without an order: only on a terminal that is not dumb,
   * and never with {@code NO_COLOR}.
   */
  public boolean enabled(Environment environment, boolean terminal) {
    return switch (this) {
      case ALWAYS -> true;
      case NEVER -> false;
      case AUTO ->
          terminal
              && environment.variable("NO_COLOR").isEmpty()
              && environment.variable("TERM").filter(term -> !term.equals("dumb")).isPresent();
    };
  }
}
