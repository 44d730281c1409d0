package blksnap.cli.command;

import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Shows one snapshot. */
@Command(
    name = "info",
    description = {
      "Show one snapshot: its state, devices, storage, and what it survives.",
      "A device whose part is corrupt is named with the reason."
    },
    footer = {"", "Examples:", "  blksnap snapshot info monday -o json"})
public final class SnapshotInfoCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(paramLabel = Labels.SNAPSHOT, description = "Name or UUID.")
  String snapshot = "";

  public SnapshotInfoCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    return context.show(new CtrlRequest.SnapshotInfo(snapshot));
  }
}
