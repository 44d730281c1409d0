package blksnap.cli.command;

import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** Lists the snapshots. */
@Command(
    name = "list",
    description = "List the snapshots.",
    footer = {"", "Examples:", "  blksnap snapshot list"})
public final class SnapshotListCommand implements Callable<Integer> {
  private final CommandContext context;

  public SnapshotListCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    return context.show(new CtrlRequest.SnapshotList());
  }
}
