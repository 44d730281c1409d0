package blksnap.cli.command;

import blksnap.ctrl.CtrlReply;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** Prints the version; needs no engine. */
@Command(
    name = "version",
    description = "Print the version: major.minor.revision.build. Needs no engine.",
    footer = {"", "Examples:", "  blksnap version"})
public final class VersionCommand implements Callable<Integer> {
  private final CommandContext context;

  public VersionCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    context.printer().print(new CtrlReply.VersionInfo(ProgramVersion.TEXT));
    return ExitCodes.DONE;
  }
}
