package blksnap.cli.repl;

import java.util.function.Supplier;
import org.jline.reader.LineReader;
import org.jline.reader.impl.DefaultHighlighter;
import org.jline.utils.AttributedString;
import org.jline.utils.AttributedStringBuilder;
import org.jline.utils.AttributedStyle;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;

/**
 * Shows while a line is typed what its words are: commands are bold, options and texts between
 * quotes have a colour, and words that are no command or option have that of trouble.
 */
final class LineHighlighter extends DefaultHighlighter {
  private static final AttributedStyle COMMAND = AttributedStyle.BOLD;
  private static final AttributedStyle OPTION =
      AttributedStyle.DEFAULT.foreground(AttributedStyle.CYAN);
  private static final AttributedStyle QUOTED =
      AttributedStyle.DEFAULT.foreground(AttributedStyle.GREEN);
  private static final AttributedStyle UNKNOWN =
      AttributedStyle.DEFAULT.foreground(AttributedStyle.RED);

  private final Supplier<CommandSpec> root;

  /**
   * @param root the commands, asked for when the first word is there
   */
  LineHighlighter(Supplier<CommandSpec> root) {
    this.root = root;
  }

  @Override
  public AttributedString highlight(LineReader reader, String buffer) {
    boolean marked = reader.getRegionActive() != LineReader.RegionType.NONE;
    return marked ? super.highlight(reader, buffer) : painted(buffer);
  }

  /** The line with the styles of its words. */
  AttributedString painted(String line) {
    if (line.isEmpty()) {
      return AttributedString.EMPTY;
    }
    var painted = new AttributedStringBuilder();
    CommandSpec spec = root.get();
    boolean commands = true; // the next word may be one
    int at = 0;
    while (at < line.length()) {
      int end = end(line, at);
      String word = line.substring(at, end);
      if (!word.isBlank()) {
        CommandLine command = commands ? spec.subcommands().get(word) : null;
        boolean option = word.startsWith("-");
        painted.styled(style(spec, word, command != null, commands, end == line.length()), word);
        spec = command == null ? spec : command.getCommandSpec();
        commands = option ? commands : command != null;
      } else {
        painted.append(word);
      }
      at = end;
    }
    return painted.toAttributedString();
  }

  private static AttributedStyle style(
      CommandSpec spec, String word, boolean isCommand, boolean commands, boolean last) {
    if (word.startsWith("-")) {
      int equals = word.indexOf('=');
      String name = equals < 0 ? word : word.substring(0, equals);
      boolean known = spec.options().stream().anyMatch(option -> isOrBegins(option, name, last));
      return known ? OPTION : UNKNOWN;
    }
    if (isCommand) {
      return COMMAND;
    }
    if (word.indexOf('"') >= 0 || word.indexOf('\'') >= 0) {
      return QUOTED;
    }
    boolean group = commands && spec.positionalParameters().isEmpty();
    boolean begins = spec.subcommands().keySet().stream().anyMatch(name -> name.startsWith(word));
    return group && !spec.subcommands().isEmpty() && !(last && begins)
        ? UNKNOWN
        : AttributedStyle.DEFAULT;
  }

  /** The word that is being typed is not wrong for not being at its end. */
  private static boolean isOrBegins(
      CommandLine.Model.OptionSpec option, String name, boolean last) {
    for (String known : option.names()) {
      boolean joined = known.length() == 2 && name.startsWith(known) && !name.startsWith("--");
      if (known.equals(name) || joined || (last && known.startsWith(name))) {
        return true;
      }
    }
    return false;
  }

  /** Where the word, or the blanks, that begin at {@code at} end. */
  private static int end(String line, int at) {
    boolean blank = Character.isWhitespace(line.charAt(at));
    char quote = 0;
    int end = at;
    while (end < line.length()) {
      char c = line.charAt(end);
      if (quote == 0 && Character.isWhitespace(c) != blank) {
        break;
      }
      if (!blank && c == '\\') {
        end++;
      } else if (quote == 0 && (c == '"' || c == '\'')) {
        quote = c;
      } else if (c == quote) {
        quote = 0;
      }
      end++;
    }
    return Math.min(end, line.length());
  }
}
