package blksnap.cli.reference;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Our own documents as bodies of manual pages, so that each text is there once. It knows what they
 * use of Markdown: headings, paragraphs, lists of one level, tables, fenced code, and within a line
 * code, bold, italics and links.
 */
final class Markdown {
  private static final Pattern INLINE =
      Pattern.compile(
          "`(?<code>[^`]+)`|\\*\\*(?<bold>[^*]+)\\*\\*|\\*(?<italic>[^*\\s][^*]*)\\*"
              + "|\\[(?<link>[^]]+)\\]\\([^)]*\\)");

  private final List<String> lines;
  private final StringBuilder page = new StringBuilder();
  private int at;

  /** Whether a heading stands right above, under which a paragraph needs no macro. */
  private boolean afterHeading;

  private Markdown(String text) {
    this.lines = text.lines().toList();
  }

  /**
   * The page from its first section on. What stands above the first heading of the second level,
   * without the title, becomes the description.
   */
  static String body(String text) {
    return new Markdown(text).convert();
  }

  private String convert() {
    boolean titled = !lines.isEmpty() && lines.getFirst().startsWith("# ");
    if (titled) {
      page.append(".SH DESCRIPTION\n");
      afterHeading = true;
      at = 1;
    }
    while (at < lines.size()) {
      block(lines.get(at));
    }
    return page.toString();
  }

  private void block(String line) {
    if (line.isBlank()) {
      at++;
    } else if (line.startsWith("### ")) {
      heading(".SS ", marked(line.substring(4)));
    } else if (line.startsWith("## ")) {
      String words = line.substring(3);
      boolean path = words.startsWith("/");
      heading(".SH ", marked(path ? words : words.toUpperCase(Locale.ROOT)));
    } else if (line.startsWith("```")) {
      code();
    } else if (line.startsWith("|")) {
      table();
    } else if (line.startsWith("* ")) {
      item();
    } else {
      paragraph();
    }
  }

  private void heading(String macro, String words) {
    page.append(macro).append(words).append('\n');
    afterHeading = true;
    at++;
  }

  private void begin() {
    page.append(afterHeading ? "" : ".PP\n");
    afterHeading = false;
  }

  private void paragraph() {
    begin();
    page.append(Roff.filled(marked(join(""))));
  }

  private void item() {
    page.append(".IP \\(bu 2\n");
    afterHeading = false;
    page.append(Roff.filled(marked(join("* "))));
  }

  /** The lines from here to the end of a paragraph or list item, as one. */
  private String join(String sign) {
    var text = new StringBuilder(lines.get(at++).substring(sign.length()));
    while (at < lines.size() && continues(lines.get(at))) {
      text.append(' ').append(lines.get(at++).strip());
    }
    return text.toString();
  }

  private static boolean continues(String line) {
    return !line.isBlank()
        && !line.startsWith("* ")
        && !line.startsWith("#")
        && !line.startsWith("|")
        && !line.startsWith("```");
  }

  private void code() {
    begin();
    page.append(".nf\n");
    for (at++; !lines.get(at).startsWith("```"); at++) {
      page.append(Roff.verbatim(lines.get(at)));
    }
    page.append(".fi\n");
    at++;
  }

  /** A row is a tag with the other cells below it; heads of several columns stand above. */
  private void table() {
    List<String> heads = present(cells(lines.get(at)));
    at += 2; // and the line of dashes
    if (heads.size() > 1) {
      begin();
      page.append(Roff.filled("\\fI" + String.join("\\fR; \\fI", heads) + "\\fR:"));
    }
    afterHeading = false;
    for (; at < lines.size() && lines.get(at).startsWith("|"); at++) {
      List<String> row = cells(lines.get(at));
      page.append(".TP\n").append(Roff.filled(row.getFirst().isEmpty() ? "\\&" : row.getFirst()));
      List<String> rest = present(row.subList(1, row.size()));
      page.append(Roff.filled(rest.isEmpty() ? "\\&" : String.join("; ", rest)));
    }
  }

  private static List<String> present(List<String> cells) {
    List<String> present = cells.stream().filter(cell -> !cell.isEmpty()).toList();
    return present.isEmpty() ? List.of("\\&") : present;
  }

  private static List<String> cells(String row) {
    List<String> cells = new ArrayList<>();
    for (String cell : row.substring(1, row.lastIndexOf('|')).split("(?<!\\\\)\\|", -1)) {
      cells.add(marked(cell.strip().replace("\\|", "|")));
    }
    return cells;
  }

  /** Plain text with inline marks, as marked text. */
  private static String marked(String text) {
    var marked = new StringBuilder();
    Matcher inline = INLINE.matcher(text);
    int plain = 0;
    while (inline.find()) {
      marked.append(Roff.escape(text.substring(plain, inline.start())));
      plain = inline.end();
      String code = inline.group("code");
      String bold = inline.group("bold");
      String italic = inline.group("italic");
      if (code != null) {
        marked.append("\\fB").append(Roff.literal(code)).append("\\fR");
      } else if (bold != null) {
        marked.append("\\fB").append(Roff.escape(bold)).append("\\fR");
      } else if (italic != null) {
        marked.append("\\fI").append(Roff.escape(italic)).append("\\fR");
      } else {
        marked.append(Roff.escape(inline.group("link")));
      }
    }
    return marked.append(Roff.escape(text.substring(plain))).toString();
  }
}
