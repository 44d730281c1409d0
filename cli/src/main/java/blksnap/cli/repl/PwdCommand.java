package blksnap.cli.repl;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.ctrl.CtrlReply;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** Prints the place in the status tree. */
@Command(
    name = "pwd",
    description = "Print this place in the status tree.",
    footer = {"", "Examples:", "  pwd"})
final class PwdCommand implements Callable<Integer> {
  private final CommandContext context;

  PwdCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    context.printer().print(new CtrlReply.Value(context.place().text()));
    return ExitCodes.DONE;
  }
}
