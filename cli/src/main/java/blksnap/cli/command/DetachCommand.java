package blksnap.cli.command;

import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Gives a device back; its change map is forgotten. */
@Command(
    name = "detach",
    description = {
      "Detach a device: stop serving and tracking it, and forget its change map.",
      "Refused with EBUSY while a client uses it or a snapshot holds it."
    },
    footer = {"", "Examples:", "  blksnap detach vm1"})
public final class DetachCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(paramLabel = Labels.DEVICE, description = "Name of the device.")
  private String device = "";

  public DetachCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    return context.show(new CtrlRequest.Detach(device));
  }
}
