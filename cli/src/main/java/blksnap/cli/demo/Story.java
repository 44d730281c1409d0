package blksnap.cli.demo;

import blksnap.cli.output.Palette;
import blksnap.cli.output.Printable;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Tells people what the demo does, step by step, as it happens; tells programs nothing. */
final class Story {
  private static final Pattern PLAIN_WORD = Pattern.compile("[A-Za-z0-9_./:@%+=,-]+");

  private final PrintWriter out;
  private final Palette palette;
  private final boolean told;
  private int steps;

  /**
   * @param told whether anything is printed
   */
  Story(PrintWriter out, Palette palette, boolean told) {
    this.out = out;
    this.palette = palette;
    this.told = told;
  }

  boolean isTold() {
    return told;
  }

  /** Begins the next step. */
  void step(String title) {
    steps++;
    print("");
    print(palette.bold(steps + ". " + title));
  }

  /** A command that does by hand what is being done; each word is quoted as a shell needs it. */
  void command(String... words) {
    line(Stream.of(words).map(Story::quoted).collect(Collectors.joining(" ")));
  }

  /** The same as it is, for what only a shell understands. */
  void line(String text) {
    print("   " + palette.directory(Printable.of("$ " + text)));
  }

  /** What was found out just now. */
  void fact(String sentence) {
    print("   " + Printable.of(sentence));
  }

  private void print(String text) {
    if (told) {
      out.println(text);
      out.flush();
    }
  }

  /** Says how it ended. */
  void close(String sentence) {
    print("");
    print(palette.bold(sentence));
  }

  /** A number with commas. */
  static String count(long number) {
    return String.format(Locale.ROOT, "%,d", number);
  }

  /** A word as a shell reads it back. */
  static String quoted(String word) {
    return PLAIN_WORD.matcher(word).matches() ? word : "'" + word.replace("'", "'\\''") + "'";
  }
}
