package blksnap.cli;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.output.OutputFormat;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * Shows the manual page of a command, or prints its help where there is no terminal or no manual;
 * needs no engine.
 */
@Command(
    name = "help",
    description = {
      "Show the manual page of a command, or the help of the program. Needs no engine.",
      "Without a terminal, without man, or in the shell, the command's help is printed instead."
    },
    footer = {"", "Examples:", "  blksnap help", "  blksnap help snapshot create"})
final class HelpCommand implements Callable<Integer> {
  /** Set by the launcher: where the program and its pages are. */
  private static final String HOME_PROPERTY = "blksnap.home";

  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Parameters(arity = "0..*", paramLabel = "COMMAND", description = "Words of the command.")
  List<String> words = List.of();

  HelpCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws InterruptedException {
    CommandLine line = spec.root().commandLine();
    for (String word : words) {
      CommandLine found = line.getSubcommands().get(word);
      if (found == null) {
        throw new UnmatchedArgumentException(line, List.of(word));
      }
      line = found;
    }
    Optional<Path> page = page(line.getCommandSpec());
    if (page.isPresent() && isShown(page.get())) {
      return ExitCodes.DONE;
    }
    if (context.format() == OutputFormat.JSON) {
      var object = new JsonObject();
      object.addProperty("help", line.getUsageMessage());
      context.out().println(object);
    } else {
      line.usage(context.out());
    }
    return ExitCodes.DONE;
  }

  /** The page of a command, if a user at a terminal wants one and it is there. */
  private Optional<Path> page(CommandSpec command) {
    String home = System.getProperty(HOME_PROPERTY, "");
    boolean wanted =
        context.environment().terminalOut()
            && context.format() == OutputFormat.TABLE
            && !context.inShell()
            && !words.isEmpty();
    if (home.isEmpty() || !wanted) {
      return Optional.empty();
    }
    String name =
        command.usageMessage().hidden()
            ? "blksnap-upstream.7"
            : "blksnap-" + words.getFirst() + ".1";
    return Optional.of(Path.of(home, "man", name)).filter(Files::isRegularFile);
  }

  /** Whether the manual could be had; it uses this process's terminal. */
  private static boolean isShown(Path page) throws InterruptedException {
    try {
      return new ProcessBuilder("man", "-l", page.toString()).inheritIO().start().waitFor() == 0;
    } catch (IOException e) {
      return false; // no man here
    }
  }
}
