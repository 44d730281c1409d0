package blksnap.cli.backup;

import blksnap.backup.BackupOptions;
import blksnap.backup.Restore;
import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.live.Progress;
import blksnap.nbdclient.NbdAddress;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Writes a point back. */
@Command(
    name = "restore",
    description = {
      "Restore a point to a file, a block device or an NBD export.",
      "Every block is checked against its hash first. A new file that was begun is gone on with; "
          + "elsewhere --in-place does again only what is missing."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap restore /backup/vm1 --to vm1.img",
      "  blksnap restore /backup/vm1/20261122T171115Z --to /dev/vg0/vm1 --in-place"
    })
public final class RestoreCommand implements Callable<Integer> {
  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Parameters(
      paramLabel = "POINT",
      description =
          "DIR/DEVICE/POINT, or DIR/DEVICE for the latest; DIR may be s3://BUCKET/PREFIX.")
  String point = "";

  @Option(
      names = "--to",
      required = true,
      paramLabel = "TARGET",
      description = "A file, a block device, or the URI of an NBD export.")
  String target = "";

  @Option(names = "--in-place", description = "Write only the blocks that differ.")
  boolean inPlace;

  @Option(
      names = "--force",
      description = "Also over a file, over a device in use, or into a larger one.")
  boolean force;

  @Mixin LoadOptions load = new LoadOptions();

  public RestoreCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException {
    try (Stores.Chosen chosen = Stores.choose(point, context)) {
      Restore.Done done = restore(chosen);
      new BackupOutput(context).restored(chosen.point(), target, done);
    }
    return ExitCodes.DONE;
  }

  private Restore.Done restore(Stores.Chosen chosen) throws IOException {
    try (Progress progress = context.progress();
        Cancellation cancellation = Cancellation.onSignal()) {
      BackupOptions.Load wanted = load.load(spec, progress, cancellation::isCancelled);
      var restore =
          new Restore(chosen.points(), chosen.point(), new Restore.Way(inPlace, force), wanted);
      return NbdAddress.isUri(target)
          ? restore.to(NbdAddress.parse(target))
          : restore.to(context.environment().absolute(Path.of(target)));
    }
  }
}
