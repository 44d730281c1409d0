package blksnap.cli.command;

import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** Lists the attached devices. */
@Command(
    name = "devices",
    description = {
      "List the attached devices.",
      "With -o plain: name, path, size in bytes and NBD URI, between tabs."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap devices",
      "  blksnap devices -o json | jq -r '.devices[].uri'"
    })
public final class DevicesCommand implements Callable<Integer> {
  private final CommandContext context;

  public DevicesCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    return context.show(new CtrlRequest.Devices());
  }
}
