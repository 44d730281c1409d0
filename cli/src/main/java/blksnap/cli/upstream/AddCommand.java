package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Adds a device to a snapshot that was not taken yet. */
@Command(
    name = "snapshot_add",
    hidden = true,
    description = "Add a device to a snapshot; one that is not attached is attached first.",
    footer = {"", "Examples:", "  blksnap snapshot_add --device=vm3 --id=\"$id\""})
public final class AddCommand implements Callable<Integer> {
  private final CommandContext context;

  @Mixin DeviceOption device = new DeviceOption();
  @Mixin SnapshotOption snapshot = new SnapshotOption();

  public AddCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    String name = new Devices(context).argument().nameOfAttached(device.device());
    return context.show(new CtrlRequest.SnapshotAdd(snapshot.id(), name));
  }
}
