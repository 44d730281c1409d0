package blksnap.cli.backup;

import blksnap.backup.BackupOptions;
import blksnap.backup.BackupStore;
import blksnap.backup.Prune;
import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.command.Labels;
import blksnap.cli.live.Progress;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.error.NearMiss;
import java.io.IOException;
import java.time.ZoneId;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Removes points that no rule keeps. */
@Command(
    name = "prune",
    description = {
      "Remove points, and merge what they hold into the next one that is kept.",
      "A point stays when one of the rules keeps it. A crash at any moment leaves every point that "
          + "is kept whole."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap prune /backup --keep-last 3 --keep-daily 7 --keep-weekly 4 --dry-run",
      "  blksnap prune /backup --device vm1 --keep-last 10"
    })
public final class PruneCommand implements Callable<Integer> {
  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Parameters(
      paramLabel = Labels.DIRECTORY,
      description = "Where the backups are: a directory or s3://BUCKET/PREFIX.")
  String place = "";

  @Option(
      names = "--device",
      paramLabel = Labels.DEVICE,
      description = "Only of this device; may be given more than once. Default: of all.")
  List<String> devices = List.of();

  @Option(names = "--keep-last", paramLabel = Labels.COUNT, description = "Keep the last ones.")
  int last;

  @Option(
      names = "--keep-daily",
      paramLabel = Labels.COUNT,
      description = "Keep the last one of so many days that have one.")
  int daily;

  @Option(
      names = "--keep-weekly",
      paramLabel = Labels.COUNT,
      description = "Keep the last one of so many weeks that have one.")
  int weekly;

  @Option(
      names = "--keep-monthly",
      paramLabel = Labels.COUNT,
      description = "Keep the last one of so many months that have one.")
  int monthly;

  @Option(names = "--dry-run", description = "Only say what would be done.")
  boolean dryRun;

  @Mixin LoadOptions load = new LoadOptions();

  public PruneCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException {
    if (last < 0 || daily < 0 || weekly < 0 || monthly < 0) {
      throw new ParameterException(spec.commandLine(), "a rule keeps 0 points or more");
    }
    var policy = new Prune.Policy(last, daily, weekly, monthly);
    if (policy.keepsNothing()) {
      throw new ParameterException(
          spec.commandLine(),
          "say what to keep: --keep-last, --keep-daily, --keep-weekly or --keep-monthly");
    }
    try (Progress progress = context.progress();
        Cancellation cancellation = Cancellation.onSignal();
        BackupStore store = Stores.open(place, context)) {
      BackupOptions.Load wanted = load.load(spec, progress, cancellation::isCancelled);
      for (String device : chosen(store)) {
        var prune = new Prune(store, device, policy, ZoneId.systemDefault(), wanted);
        Prune.Pruned pruned = dryRun ? prune.plan() : prune.run();
        new BackupOutput(context).pruned(pruned, dryRun);
      }
    }
    return ExitCodes.DONE;
  }

  /** Those that were named, if there are backups of each: one that is misspelt would keep all. */
  private List<String> chosen(BackupStore store) throws IOException {
    List<String> there = store.devices();
    for (String device : devices) {
      if (!there.contains(device)) {
        var refusal =
            new BlkSnapException(
                Errno.ENOENT, "there are no backups of a device " + device + " in " + place);
        throw NearMiss.hint(device, there).map(refusal::withHint).orElse(refusal);
      }
    }
    return devices.isEmpty() ? there : devices;
  }
}
