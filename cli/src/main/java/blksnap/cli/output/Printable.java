package blksnap.cli.output;

/**
 * Makes text that came from elsewhere fit for one line of a terminal, or one field between tabs.
 */
public final class Printable {
  private Printable() {}

  /** The text with control characters written as {@code \t}, {@code \n} or {@code \xNN}. */
  public static String of(String text) {
    if (text.chars().noneMatch(Character::isISOControl)) {
      return text;
    }
    var clean = new StringBuilder(text.length() + 8);
    text.chars().forEach(c -> append(clean, (char) c));
    return clean.toString();
  }

  private static void append(StringBuilder clean, char c) {
    if (c == '\t') {
      clean.append("\\t");
    } else if (c == '\n') {
      clean.append("\\n");
    } else if (Character.isISOControl(c)) {
      clean
          .append("\\x")
          .append(Character.forDigit(c >> 4, 16))
          .append(Character.forDigit(c & 15, 16));
    } else {
      clean.append(c);
    }
  }
}
