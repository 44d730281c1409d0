package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.ctrl.CtrlReply;
import blksnap.error.Errno;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Shows how the latest snapshot of a device is, and where its image is served. */
@Command(
    name = "snapshot_info",
    hidden = true,
    description = {
      "Show the error and the image of a device in the latest snapshot that was taken of it.",
      "The image is told as the NBD URI that it is served under."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap snapshot_info --device=vm1",
      "  blksnap snapshot_info --device=vm1 --field=image"
    })
public final class ImageInfoCommand implements Callable<Integer> {
  private static final String ERROR = "error_code";
  private static final String IMAGE = "image";

  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Mixin DeviceOption device = new DeviceOption();

  @Option(
      names = {"-f", "--field"},
      paramLabel = "FIELD",
      completionCandidates = Fields.class,
      description = "Print the value of one field alone: ${COMPLETION-CANDIDATES}.")
  Optional<String> field = Optional.empty();

  @Mixin JsonOption json = new JsonOption();

  public ImageInfoCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (field.isPresent() && !new Fields().contains(field.get())) {
      throw new ParameterException(
          spec.commandLine(), "--field '" + field.get() + "' is neither image nor error_code");
    }
    var devices = new Devices(context);
    String name = devices.argument().require(device.device()).name();
    CtrlReply.SnapshotEntry snapshot = devices.requireTaken(name);
    Optional<Errno> errno = Devices.part(snapshot, name).flatMap(CtrlReply.SnapshotDevice::errno);
    String image =
        devices.images(snapshot.id().toString()).stream()
            .filter(entry -> entry.device().equals(name))
            .map(CtrlReply.ImageEntry::uri)
            .findFirst()
            .orElse("");
    var object = new JsonObject();
    object.addProperty(ERROR, errno.map(Errno::number).orElse(0));
    object.addProperty(IMAGE, image);
    if (field.isPresent()) {
      object.remove(field.get().equals(ERROR) ? IMAGE : ERROR);
    }
    if (json.wanted(context)) {
      context.out().println(object);
    } else if (field.isPresent()) {
      context.out().println(object.get(field.get()).getAsString());
    } else {
      KeyLines.print(context.out(), object);
    }
    return ExitCodes.DONE;
  }

  /** The fields there are. */
  static final class Fields extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Fields() {
      super(List.of(IMAGE, ERROR));
    }
  }
}
