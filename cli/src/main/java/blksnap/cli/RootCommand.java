package blksnap.cli;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ProgramVersion;
import blksnap.cli.repl.ShellCommand;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * The program itself: without a command it is the shell on a terminal, and wrong usage elsewhere.
 */
@Command(
    name = "blksnap",
    versionProvider = ProgramVersion.class,
    description = "Snapshots of disks and tracking of changed blocks, served over NBD.",
    synopsisSubcommandLabel = "COMMAND",
    footer = {
      "",
      "Sizes take K, M, G, T or s (sectors of 512 bytes). Exit codes: 0 done, 1 refused or failed,",
      "2 wrong usage. Without a command, on a terminal, a shell starts.",
      "",
      "Examples:",
      "  blksnap load",
      "  blksnap attach /var/lib/images/vm1.img",
      "  blksnap snapshot create vm1 --storage /var/tmp --name monday --take",
      "  blksnap status"
    })
final class RootCommand implements Callable<Integer> {
  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  RootCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws Exception {
    if (!context.environment().terminalIn() || !context.environment().terminalOut()) {
      throw new ParameterException(spec.commandLine(), "a command is missing");
    }
    return new ShellCommand(context, inner -> new CommandTree(inner).withoutShell()).call();
  }
}
