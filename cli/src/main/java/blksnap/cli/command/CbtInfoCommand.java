package blksnap.cli.command;

import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Shows the state of a device's change map. */
@Command(
    name = "info",
    description = {
      "Show the state of a device's change map: block size, generation, number of the last take.",
      "A backup made in another generation cannot be the base of an increment."
    },
    footer = {"", "Examples:", "  blksnap cbt info vm1 -o json"})
public final class CbtInfoCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(paramLabel = Labels.DEVICE, description = "Name of the device.")
  String device = "";

  public CbtInfoCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    return context.show(new CtrlRequest.CbtInfo(device));
  }
}
