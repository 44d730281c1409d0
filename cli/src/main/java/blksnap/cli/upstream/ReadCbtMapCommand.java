package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.command.Labels;
import blksnap.cli.command.RawMap;
import blksnap.ctrl.CtrlReply;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * Writes the map that was frozen by the latest take into a file, one byte a block. Both generations
 * have it, under two names; the older one insists on a taken snapshot.
 */
@Command(
    name = "readcbtmap",
    hidden = true,
    description = {
      "Write the change map of a device into a file, one byte a block.",
      "It is the map that the latest taken snapshot of the device froze. Without such a snapshot,"
          + " tracker_readcbtmap fails and readcbtmap writes the map of this moment."
    },
    footer = {"", "Examples:", "  blksnap readcbtmap --device=vm1 --file=vm1.cbt"})
public final class ReadCbtMapCommand implements Callable<Integer> {
  private final CommandContext context;
  private final boolean needsTaken;

  @Mixin DeviceOption device = new DeviceOption();

  @Option(
      names = {"-f", "--file"},
      required = true,
      paramLabel = Labels.FILE,
      description = "File that is written.")
  Path file = Path.of("");

  @Mixin JsonOption json = new JsonOption();

  /**
   * @param needsTaken whether it fails while no snapshot of the device is taken
   */
  public ReadCbtMapCommand(CommandContext context, boolean needsTaken) {
    this.context = context;
    this.needsTaken = needsTaken;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    var devices = new Devices(context);
    String name = devices.argument().require(device.device()).name();
    Optional<CtrlReply.SnapshotEntry> snapshot =
        needsTaken ? Optional.of(devices.requireTaken(name)) : devices.latestTaken(name);
    Path target = context.environment().absolute(file);
    long blocks =
        new RawMap(context, name, snapshot.map(entry -> entry.id().toString())).writeTo(target);
    if (json.wanted(context)) {
      var object = new JsonObject();
      object.addProperty("blocks", blocks);
      context.out().println(object);
    }
    return ExitCodes.DONE;
  }
}
