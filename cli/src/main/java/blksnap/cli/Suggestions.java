package blksnap.cli;

import blksnap.error.NearMiss;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** What somebody probably meant who typed a command or an option that there is not. */
final class Suggestions {
  private Suggestions() {}

  /**
   * A question that names the command nearest to the word, below the one that was understood so
   * far. At the top, a word that stands below groups is asked about together with them.
   */
  static Optional<String> command(CommandSpec spec, String word) {
    List<String> places = new ArrayList<>();
    for (CommandLine line : visible(spec)) {
      for (CommandLine below : visible(line.getCommandSpec())) {
        if (below.getCommandName().equals(word)) {
          places.add("'" + line.getCommandName() + " " + word + "'");
        }
      }
    }
    if (!places.isEmpty()) {
      return Optional.of("did you mean " + String.join(" or ", places) + "?");
    }
    return NearMiss.hint(word, visible(spec).stream().map(CommandLine::getCommandName).toList());
  }

  private static List<CommandLine> visible(CommandSpec spec) {
    return spec.subcommands().values().stream()
        .filter(line -> !line.getCommandSpec().usageMessage().hidden())
        .toList();
  }

  /** The same for an option; neither its dashes nor a value behind it count as letters. */
  static Optional<String> option(CommandSpec spec, String word) {
    Map<String, String> names = new LinkedHashMap<>();
    for (OptionSpec option : spec.options()) {
      if (!option.hidden()) {
        for (String name : option.names()) {
          names.put(withoutDashes(name), name);
        }
      }
    }
    String typed = withoutDashes(word.split("=", 2)[0]);
    return NearMiss.of(typed, names.keySet())
        .map(near -> "did you mean '" + names.get(near) + "'?");
  }

  private static String withoutDashes(String option) {
    return option.replaceFirst("^-+", "");
  }
}
