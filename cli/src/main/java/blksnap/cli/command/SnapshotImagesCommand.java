package blksnap.cli.command;

import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Lists the images of a snapshot. */
@Command(
    name = "images",
    description = {
      "List the images of a taken snapshot and where they are served.",
      "With -o plain: device, image, size in bytes and NBD URI, between tabs."
    },
    footer = {
      "",
      "Examples:",
      "  nbdcopy \"$(blksnap snapshot images monday -o plain | cut -f4)\" monday.img"
    })
public final class SnapshotImagesCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(paramLabel = Labels.SNAPSHOT, description = "Name or UUID.")
  String snapshot = "";

  public SnapshotImagesCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    return context.show(new CtrlRequest.SnapshotImages(snapshot));
  }
}
