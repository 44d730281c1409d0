package blksnap.cli.backup;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Labels;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** The group of commands that look at backups; with a place only, it lists them. */
@Command(
    name = "backups",
    description = "List and open backups; 'backups DIR' is short for 'backups list DIR'.",
    synopsisSubcommandLabel = "COMMAND",
    footer = {
      "",
      "Examples:",
      "  blksnap backups list /backup",
      "  blksnap backups open /backup/vm1 --socket /run/vm1.sock"
    })
public final class BackupsCommand implements Callable<Integer> {
  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Parameters(arity = "0..1", paramLabel = Labels.DIRECTORY, hidden = true)
  Optional<String> place = Optional.empty();

  public BackupsCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException {
    if (place.isEmpty()) {
      throw new ParameterException(spec.commandLine(), "Missing required subcommand");
    }
    return BackupsListCommand.list(context, place.get());
  }
}
