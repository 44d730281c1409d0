package blksnap.cli.reference;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ScopeType;

/**
 * Reads of the picocli model that all of this package shares; what is hidden exists for those alone
 * who ask for it.
 */
final class Model {
  private Model() {}

  /** The options of this command alone. */
  static List<OptionSpec> ownOptions(CommandSpec spec) {
    return options(spec, option -> !isCommon(option));
  }

  /** The options that every command takes. */
  static List<OptionSpec> commonOptions(CommandSpec spec) {
    return options(spec, Model::isCommon);
  }

  /** The root owns what all others inherit. */
  private static boolean isCommon(OptionSpec option) {
    return option.scopeType() == ScopeType.INHERIT;
  }

  private static List<OptionSpec> options(CommandSpec spec, Predicate<OptionSpec> wanted) {
    return spec.options().stream().filter(option -> !option.hidden()).filter(wanted).toList();
  }

  static List<PositionalParamSpec> positionals(CommandSpec spec) {
    return spec.positionalParameters().stream().filter(position -> !position.hidden()).toList();
  }

  /** The commands under this one, in their order. */
  static List<CommandLine> subcommands(CommandSpec spec) {
    return spec.subcommands().values().stream()
        .filter(line -> !line.getCommandSpec().usageMessage().hidden())
        .toList();
  }

  /** The commands of upstream that have a name of their own, sorted. */
  static List<CommandLine> hidden(CommandSpec root) {
    return root.subcommands().values().stream()
        .filter(line -> line.getCommandSpec().usageMessage().hidden())
        .sorted(Comparator.comparing(CommandLine::getCommandName))
        .toList();
  }

  /** Every command that can be run, by its words behind the program's name, sorted. */
  static Map<String, CommandSpec> leaves(CommandSpec root) {
    var leaves = new TreeMap<String, CommandSpec>();
    for (CommandLine line : subcommands(root)) {
      CommandSpec spec = line.getCommandSpec();
      if (spec.subcommands().isEmpty()) {
        leaves.put(spec.name(), spec);
      } else {
        leaves(spec).forEach((name, leaf) -> leaves.put(spec.name() + " " + name, leaf));
      }
    }
    return leaves;
  }

  static boolean takesValue(OptionSpec option) {
    return option.arity().max() > 0;
  }

  /** The first line of a command's description. */
  static String summary(CommandSpec spec) {
    String[] description = spec.usageMessage().description();
    return description.length == 0 ? "" : description[0];
  }
}
