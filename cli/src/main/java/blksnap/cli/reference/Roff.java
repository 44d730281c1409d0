package blksnap.cli.reference;

import java.util.Locale;

/**
 * Text of a manual page in the macros of {@code man}, in lines that every formatter takes without a
 * warning. What is "marked" has its escapes already.
 */
final class Roff {
  /** Longest line of input; formatters grumble beyond 80. */
  static final int MAX_LINE = 78;

  /** Of all pages: the version that they describe has no other. */
  private static final String DATE = "2026-11-01";

  private Roff() {}

  /** The line that every page begins with, and its name. */
  static String head(String name, int section, String volume, String about) {
    return ".\\\" Written by a test from the commands and documents themselves; do not edit.\n"
        + ".TH \""
        + escape(name).toUpperCase(Locale.ROOT)
        + "\" \""
        + section
        + "\" \""
        + DATE
        + "\" \"blksnap\" \""
        + volume
        + "\"\n.SH NAME\n"
        + filled(escape(name) + " \\- " + escape(about));
  }

  /** Plain text as marked text. */
  static String escape(String text) {
    return text.replace("\\", "\\e").replace("-", "\\-");
  }

  /** Text that is shown letter by letter, such as code: no quote or sign may become a nicer one. */
  static String literal(String text) {
    return escape(text)
        .replace("'", "\\(aq")
        .replace("`", "\\(ga")
        .replace("^", "\\(ha")
        .replace("~", "\\(ti")
        .replace("\"", "\\(dq");
  }

  /** Marked text that the formatter fills, broken at blanks; no line of it is a request. */
  static String filled(String marked) {
    var text = new StringBuilder();
    var line = new StringBuilder();
    for (String word : marked.strip().split("\\s+", -1)) {
      if (!line.isEmpty() && line.length() + 1 + word.length() > MAX_LINE) {
        text.append(line).append('\n');
        line.setLength(0);
      }
      line.append(line.isEmpty() ? guard(word) : " " + word);
    }
    return line.isEmpty() ? text.toString() : text.append(line).append('\n').toString();
  }

  /** One line that stays one line on the page, however many it takes here. */
  static String verbatim(String raw) {
    var text = new StringBuilder();
    var line = new StringBuilder();
    for (int i = 0; i < raw.length(); i++) {
      String letter = literal(raw.substring(i, i + 1));
      if (line.length() + letter.length() >= MAX_LINE) {
        text.append(line).append("\\\n"); // a backslash at its end joins a line with the next one
        line.setLength(0);
      }
      line.append(line.isEmpty() ? guard(letter) : letter);
    }
    return text.append(line).append('\n').toString();
  }

  private static String guard(String word) {
    return word.startsWith(".") || word.startsWith("'") ? "\\&" + word : word;
  }
}
