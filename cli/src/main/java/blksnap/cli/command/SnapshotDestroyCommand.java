package blksnap.cli.command;

import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Destroys a snapshot. */
@Command(
    name = "destroy",
    description = {
      "Destroy a snapshot: its images end and its storage is given back.",
      "Works on a snapshot that is corrupt or whose storage is full, too."
    },
    footer = {"", "Examples:", "  blksnap snapshot destroy monday"})
public final class SnapshotDestroyCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(paramLabel = Labels.SNAPSHOT, description = "Name or UUID.")
  String snapshot = "";

  public SnapshotDestroyCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    return context.show(new CtrlRequest.SnapshotDestroy(snapshot));
  }
}
