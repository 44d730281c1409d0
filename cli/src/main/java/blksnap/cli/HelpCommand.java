package blksnap.cli;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/** Prints the help of the program or of one command; needs no engine. */
@Command(
    name = "help",
    description = "Show the help of the program or of a command. Needs no engine.",
    footer = {"", "Examples:", "  blksnap help", "  blksnap help snapshot create"})
final class HelpCommand implements Callable<Integer> {
  private final CommandContext context;

  @Spec private CommandSpec spec = CommandSpec.create();

  @Parameters(arity = "0..*", paramLabel = "COMMAND", description = "Words of the command.")
  private List<String> words = List.of();

  HelpCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    CommandLine line = spec.root().commandLine();
    for (String word : words) {
      CommandLine found = line.getSubcommands().get(word);
      if (found == null) {
        throw new UnmatchedArgumentException(line, List.of(word));
      }
      line = found;
    }
    line.usage(context.out());
    return ExitCodes.DONE;
  }
}
