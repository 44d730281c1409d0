package blksnap.cli.reference;

import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/**
 * The one-line form of a command: its own options and parameters, without those that every command
 * takes.
 */
final class Synopsis {
  private Synopsis() {}

  /** The words behind the command's name; a word that can be left out stands in brackets. */
  static List<String> words(CommandSpec spec) {
    var words = new ArrayList<String>();
    for (PositionalParamSpec position : Model.positionals(spec)) {
      words.add(positional(position));
    }
    for (OptionSpec option : Model.ownOptions(spec)) {
      if (!option.versionHelp()) {
        words.add(option(option));
      }
    }
    if (!spec.subcommands().isEmpty()) {
      words.add(spec.parent() == null ? "[COMMAND]" : "COMMAND");
    }
    return words;
  }

  /**
   * The synopsis broken into lines of at most {@code width} characters; those behind the first are
   * indented.
   */
  static String wrapped(CommandSpec spec, int width) {
    String name = spec.qualifiedName();
    String indent = " ".repeat(name.length() + 1);
    var text = new StringBuilder(name);
    int column = name.length();
    for (String word : words(spec)) {
      if (column + 1 + word.length() > width) {
        text.append(System.lineSeparator()).append(indent).append(word);
        column = indent.length() + word.length();
      } else {
        text.append(' ').append(word);
        column += 1 + word.length();
      }
    }
    return text.append(System.lineSeparator()).toString();
  }

  private static String option(OptionSpec option) {
    String value = Model.takesValue(option) ? " " + option.paramLabel() : "";
    String word = option.longestName() + value;
    String bracketed = option.required() ? word : "[" + word + "]";
    return option.isMultiValue() ? bracketed + "..." : bracketed;
  }

  private static String positional(PositionalParamSpec position) {
    String dots = position.isMultiValue() ? "..." : "";
    return position.arity().min() == 0 && !position.hideParamSyntax()
        ? "[" + position.paramLabel() + dots + "]"
        : position.paramLabel() + dots;
  }
}
