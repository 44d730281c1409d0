package blksnap.cli.command;

import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Adds a device to a snapshot that was not taken yet. */
@Command(
    name = "add",
    description = "Add a device to a snapshot that was created and not yet taken.",
    footer = {"", "Examples:", "  blksnap snapshot add monday vm3"})
public final class SnapshotAddCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(index = "0", paramLabel = Labels.SNAPSHOT, description = "Name or UUID.")
  String snapshot = "";

  @Parameters(index = "1", paramLabel = Labels.DEVICE, description = "Name of the device.")
  String device = "";

  public SnapshotAddCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    return context.show(new CtrlRequest.SnapshotAdd(snapshot, device));
  }
}
