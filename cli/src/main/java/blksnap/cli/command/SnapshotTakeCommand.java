package blksnap.cli.command;

import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Takes a created snapshot. */
@Command(
    name = "take",
    description = {
      "Take a created snapshot: freeze its view of all its devices at one instant.",
      "If it fails the snapshot stays created, and taking it can be tried again."
    },
    footer = {"", "Examples:", "  blksnap snapshot take monday"})
public final class SnapshotTakeCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(paramLabel = Labels.SNAPSHOT, description = "Name or UUID.")
  private String snapshot = "";

  public SnapshotTakeCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    return context.show(new CtrlRequest.SnapshotTake(snapshot));
  }
}
