package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Lists the trackers: the attached devices and the state of their change maps. */
@Command(
    name = "tracker_collect",
    hidden = true,
    description = "List the trackers and the state of their change maps.",
    footer = {"", "Examples:", "  blksnap tracker_collect"})
public final class TrackerCollectCommand implements Callable<Integer> {
  private final CommandContext context;

  @Mixin JsonOption json = new JsonOption();

  public TrackerCollectCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    List<CtrlReply.DeviceEntry> devices = new Devices(context).all();
    var trackers = new JsonArray();
    for (CtrlReply.DeviceEntry device : devices) {
      var request = new CtrlRequest.CbtInfo(device.name());
      var state = context.ask(request, CtrlReply.CbtState.class);
      var tracker = new JsonObject();
      tracker.addProperty("device", Devices.id(device));
      tracker.addProperty("blk_size", state.blockSize());
      tracker.addProperty("device_capacity", state.deviceCapacity());
      tracker.addProperty("blk_count", state.blockCount());
      tracker.addProperty("generationId", state.generationId().toString());
      tracker.addProperty("snap_number", state.snapNumber());
      trackers.add(tracker);
    }
    PrintWriter out = context.out();
    if (json.wanted(context)) {
      var object = new JsonObject();
      object.add("trackers", trackers);
      out.println(object);
      return ExitCodes.DONE;
    }
    out.println("count=" + trackers.size());
    for (var tracker : trackers) {
      out.println(",");
      KeyLines.print(out, tracker.getAsJsonObject());
    }
    out.println(".");
    return ExitCodes.DONE;
  }
}
