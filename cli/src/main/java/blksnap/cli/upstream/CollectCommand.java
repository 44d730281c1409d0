package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.command.Labels;
import blksnap.cli.output.OutputFormat;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Lists the snapshots and their images. */
@Command(
    name = "snapshot_collect",
    hidden = true,
    description = {
      "List the snapshots and their images.",
      "With -o plain: one UUID a line, as the later tool prints them."
    },
    footer = {"", "Examples:", "  blksnap snapshot_collect"})
public final class CollectCommand implements Callable<Integer> {
  private final CommandContext context;

  @Option(
      names = {"-i", "--id"},
      paramLabel = Labels.SNAPSHOT,
      description = "UUID or name of one snapshot; all without it.")
  Optional<String> id = Optional.empty();

  @Mixin JsonOption json = new JsonOption();

  public CollectCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    List<CtrlReply.SnapshotEntry> snapshots = snapshots();
    PrintWriter out = context.out();
    if (!json.wanted(context) && context.format() == OutputFormat.PLAIN) {
      snapshots.forEach(snapshot -> out.println(snapshot.id()));
      return ExitCodes.DONE;
    }
    var devices = new Devices(context);
    Map<String, String> ids = new HashMap<>();
    devices.all().forEach(device -> ids.put(device.name(), Devices.id(device)));
    var collected = new JsonArray();
    for (CtrlReply.SnapshotEntry snapshot : snapshots) {
      var images = new JsonArray();
      if (snapshot.takenAt().isPresent()) {
        for (CtrlReply.ImageEntry image : devices.images(snapshot.id().toString())) {
          var object = new JsonObject();
          object.addProperty("orig_dev_id", ids.getOrDefault(image.device(), image.device()));
          object.addProperty("image_dev_id", image.uri());
          images.add(object);
        }
      }
      var object = new JsonObject();
      object.addProperty("snapshot", snapshot.id().toString());
      object.add("images", images);
      collected.add(object);
    }
    if (json.wanted(context)) {
      var object = new JsonObject();
      object.add("snapshots", collected);
      out.println(object);
    } else {
      collected.forEach(snapshot -> print(out, snapshot.getAsJsonObject()));
    }
    return ExitCodes.DONE;
  }

  private List<CtrlReply.SnapshotEntry> snapshots() throws IOException, InterruptedException {
    if (id.isPresent()) {
      var request = new CtrlRequest.SnapshotInfo(id.get());
      return List.of(context.ask(request, CtrlReply.SnapshotEntry.class));
    }
    return context.ask(new CtrlRequest.SnapshotList(), CtrlReply.Snapshots.class).snapshots();
  }

  private static void print(PrintWriter out, JsonObject snapshot) {
    JsonArray images = snapshot.getAsJsonArray("images");
    out.println("snapshot=" + snapshot.get("snapshot").getAsString());
    out.println("count=" + images.size());
    for (var image : images) {
      out.println(",");
      KeyLines.print(out, image.getAsJsonObject());
    }
    out.println(".");
  }
}
