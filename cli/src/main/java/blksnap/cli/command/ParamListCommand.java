package blksnap.cli.command;

import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** Lists the parameters. */
@Command(
    name = "list",
    description = "List the parameters with their values, defaults and ranges.",
    footer = {"", "Examples:", "  blksnap param list"})
public final class ParamListCommand implements Callable<Integer> {
  private final CommandContext context;

  public ParamListCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    return context.show(new CtrlRequest.ParamList());
  }
}
