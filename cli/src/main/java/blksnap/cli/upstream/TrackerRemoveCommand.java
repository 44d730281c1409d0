package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.cli.live.Waiting;
import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Detaches a device. */
@Command(
    name = "tracker_remove",
    hidden = true,
    description = "Remove the tracker of a device; the same as 'detach'.",
    footer = {"", "Examples:", "  blksnap tracker_remove --device=vm1"})
public final class TrackerRemoveCommand implements Callable<Integer> {
  private final CommandContext context;

  @Mixin DeviceOption device = new DeviceOption();

  public TrackerRemoveCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    String name = new Devices(context).argument().name(device.device());
    try (Waiting _ = context.waiting("detaching " + name)) {
      return context.show(new CtrlRequest.Detach(name));
    }
  }
}
