package blksnap.cli.backup;

import blksnap.backup.BackupOptions;
import blksnap.backup.BackupStore;
import blksnap.backup.DevicePoints;
import blksnap.backup.Manifest;
import blksnap.backup.Verification;
import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.command.Labels;
import blksnap.cli.live.Progress;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.nbdclient.NbdAddress;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Reads backups and compares them with what was stored. */
@Command(
    name = "verify",
    description = {
      "Read backups and compare every block with the hash of what was stored.",
      "Of a directory all points are read, each file once; of a point, with all that it leans on. "
          + "Exit code 1 when one is damaged."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap verify /backup",
      "  blksnap verify /backup/vm1 --against nbd+unix:///vm1@monday?socket=/run/blksnap/nbd.sock"
    })
public final class VerifyCommand implements Callable<Integer> {
  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Parameters(
      paramLabel = Labels.DIRECTORY,
      description =
          "Where the backups are, a directory or s3://BUCKET/PREFIX; or DIR/DEVICE/POINT, or"
              + " DIR/DEVICE for the latest.")
  String place = "";

  @Option(
      names = "--against",
      paramLabel = "URI",
      description = "NBD export that the one point has to be equal to.")
  Optional<String> against = Optional.empty();

  @Mixin LoadOptions load = new LoadOptions();

  public VerifyCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException {
    try (Progress progress = context.progress();
        Cancellation cancellation = Cancellation.onSignal()) {
      BackupOptions.Load wanted = load.load(spec, progress, cancellation::isCancelled);
      boolean good = isPoint() ? verifyPoint(wanted) : verifyAll(wanted);
      return good ? ExitCodes.DONE : ExitCodes.FAILED;
    }
  }

  /** A place of backups holds directories of devices, and a device's holds none. */
  private boolean isPoint() throws IOException {
    if (Stores.isPoint(place, context)) {
      return true;
    }
    try (BackupStore store = Stores.open(place, context)) {
      if (!store.devices().isEmpty()) {
        return false;
      }
    }
    return true;
  }

  private boolean verifyPoint(BackupOptions.Load wanted) throws IOException {
    try (Stores.Chosen chosen = Stores.choose(place, context)) {
      var verification = new Verification(chosen.store(), chosen.points(), wanted);
      Manifest point = chosen.point();
      boolean good = tell(point, verification.verify(point));
      if (good && against.isPresent()) {
        compare(verification, point, NbdAddress.parse(against.get()));
      }
      return good;
    }
  }

  private static void compare(Verification verification, Manifest point, NbdAddress export)
      throws IOException {
    Optional<Long> differs = verification.compare(point, export);
    if (differs.isPresent()) {
      throw new BlkSnapException(
          Errno.EBADMSG,
          "point "
              + point.name()
              + " of "
              + point.device()
              + " and "
              + export
              + " differ at "
              + differs.get());
    }
  }

  private boolean verifyAll(BackupOptions.Load wanted) throws IOException {
    if (against.isPresent()) {
      throw new ParameterException(
          spec.commandLine(), "--against goes with one point: write DIR/DEVICE/POINT");
    }
    boolean good = true;
    try (BackupStore store = Stores.open(place, context)) {
      for (String device : store.devices()) {
        DevicePoints points = DevicePoints.load(store, device);
        var verification = new Verification(store, points, wanted);
        for (Manifest point : points.all()) {
          good &= tell(point, verification.verify(point));
        }
        for (BlkSnapException damage : points.damaged().values()) {
          good = false;
          context.err().println(context.errPalette().alarm("blksnap: " + damage.sentence()));
        }
      }
    }
    return good;
  }

  private boolean tell(Manifest point, Optional<BlkSnapException> wrong) {
    new BackupOutput(context).verified(point, wrong.map(BlkSnapException::sentence));
    return wrong.isEmpty();
  }
}
