package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Shows the state of a device's change map. */
@Command(
    name = "cbtinfo",
    hidden = true,
    description = "Show the state of a device's change map.",
    footer = {"", "Examples:", "  blksnap cbtinfo --device=vm1"})
public final class MapInfoCommand implements Callable<Integer> {
  private final CommandContext context;

  @Mixin DeviceOption device = new DeviceOption();
  @Mixin JsonOption json = new JsonOption();

  public MapInfoCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    String name = new Devices(context).argument().name(device.device());
    var state = context.ask(new CtrlRequest.CbtInfo(name), CtrlReply.CbtState.class);
    var object = new JsonObject();
    object.addProperty("block_size", state.blockSize());
    object.addProperty("device_capacity", state.deviceCapacity());
    object.addProperty("block_count", state.blockCount());
    object.addProperty("generation_id", state.generationId().toString());
    object.addProperty("changes_number", state.snapNumber());
    if (json.wanted(context)) {
      context.out().println(object);
    } else {
      KeyLines.print(context.out(), object);
    }
    return ExitCodes.DONE;
  }
}
