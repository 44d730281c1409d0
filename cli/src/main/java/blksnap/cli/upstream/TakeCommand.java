package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.output.OutputFormat;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Takes a snapshot. */
@Command(
    name = "snapshot_take",
    hidden = true,
    description = "Take a snapshot.",
    footer = {"", "Examples:", "  blksnap snapshot_take --id=\"$id\""})
public final class TakeCommand implements Callable<Integer> {
  private final CommandContext context;

  @Mixin SnapshotOption snapshot = new SnapshotOption();

  public TakeCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    var taken = context.ask(new CtrlRequest.SnapshotTake(snapshot.id()), CtrlReply.Taken.class);
    if (context.format() == OutputFormat.JSON) {
      context.printer().print(taken);
    }
    return ExitCodes.DONE;
  }
}
