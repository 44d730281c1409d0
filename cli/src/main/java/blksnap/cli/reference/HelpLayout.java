package blksnap.cli.reference;

import java.util.List;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.UsageMessageSpec;

/**
 * Help in which a command's own options come first, and those that every command takes stand apart.
 */
public final class HelpLayout {
  private HelpLayout() {}

  /**
   * Sets the layout for a command and all below it.
   *
   * @param scheme the colours, asked for when help is printed
   */
  public static void apply(CommandLine root, Supplier<Help.ColorScheme> scheme) {
    var sections = root.getHelpSectionMap();
    sections.put(
        UsageMessageSpec.SECTION_KEY_SYNOPSIS,
        help -> {
          int indent = "Usage: ".length();
          String lines =
              Synopsis.wrapped(
                  help.commandSpec(), help.commandSpec().usageMessage().width() - indent);
          return lines.stripTrailing().replace("\n", "\n" + " ".repeat(indent)) + "\n";
        });
    sections.put(
        UsageMessageSpec.SECTION_KEY_PARAMETER_LIST,
        help -> section("Parameters", help.parameterList()));
    sections.put(
        UsageMessageSpec.SECTION_KEY_OPTION_LIST,
        help ->
            section("Options", list(help, Model.ownOptions(help.commandSpec())))
                + section("Common options", list(help, Model.commonOptions(help.commandSpec()))));
    sections.put(
        UsageMessageSpec.SECTION_KEY_COMMAND_LIST, help -> section("Commands", help.commandList()));
    sections.put(UsageMessageSpec.SECTION_KEY_COMMAND_LIST_HEADING, help -> "");
    root.setHelpSectionMap(sections);
    root.setHelpFactory((spec, ignored) -> new Help(spec, scheme.get()));
  }

  private static String list(Help help, List<OptionSpec> options) {
    return options.isEmpty() ? "" : help.optionListExcludingGroups(options);
  }

  private static String section(String heading, String list) {
    String end = System.lineSeparator();
    return list.isEmpty() ? "" : end + heading + ":" + end + list;
  }
}
