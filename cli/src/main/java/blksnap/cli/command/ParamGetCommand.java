package blksnap.cli.command;

import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Prints the value of one parameter. */
@Command(
    name = "get",
    description = "Print the value of a parameter; with -o json also its default and range.",
    footer = {"", "Examples:", "  blksnap param get chunk_minimum_shift"})
public final class ParamGetCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(paramLabel = Labels.PARAMETER, description = "Name of the parameter.")
  String name = "";

  public ParamGetCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    var reply = context.ask(new CtrlRequest.ParamGet(name), CtrlReply.Params.class);
    if (reply.parameters().size() != 1) {
      throw new BlkSnapException(
          Errno.EPROTO, "the engine answered with " + reply.parameters().size() + " parameters");
    }
    context.printer().parameter(reply.parameters().getFirst());
    return ExitCodes.DONE;
  }
}
