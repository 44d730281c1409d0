package blksnap.cli.output;

/**
 * Colour for a terminal, or none of it.
 *
 * @param enabled whether escape sequences are written at all
 */
public record Palette(boolean enabled) {
  private static final String RESET = "\u001b[0m";

  public String bold(String text) {
    return paint("\u001b[1m", text);
  }

  public String alarm(String text) {
    return paint("\u001b[1;31m", text);
  }

  public String warning(String text) {
    return paint("\u001b[33m", text);
  }

  public String directory(String text) {
    return paint("\u001b[1;34m", text);
  }

  private String paint(String sequence, String text) {
    return enabled && !text.isEmpty() ? sequence + text + RESET : text;
  }
}
