package blksnap.cli.output;

import java.util.Locale;

/** The forms in which replies are printed; their names are what a user types. */
public enum OutputFormat {
  TABLE,
  JSON,
  PLAIN;

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
