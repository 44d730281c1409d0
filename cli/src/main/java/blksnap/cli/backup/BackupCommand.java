package blksnap.cli.backup;

import blksnap.backup.BackupOptions;
import blksnap.backup.BackupStore;
import blksnap.cli.command.ByteSize;
import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.command.HookOptions;
import blksnap.cli.command.Labels;
import blksnap.cli.live.Progress;
import blksnap.qcow2.Compression;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Backs devices up while they are used. */
@Command(
    name = "backup",
    description = {
      "Back up devices or disk files while they are used, all at one instant.",
      "The first point is a full one, later ones hold what has changed since. Each is a qcow2 image"
          + " in DIR/DEVICE that QEMU reads with those below it. Without an engine one is run for"
          + " this command, and what is not attached is attached for it."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap backup vm1 --to /backup",
      "  blksnap backup vm1 --to s3://backups/host1",
      "  blksnap backup vm1 /dev/vg0/data --to /backup --compression zstd --limit-rate 100M -o json"
    })
public final class BackupCommand implements Callable<Integer> {
  private static final Path DEFAULT_STORAGE = Path.of("/var/tmp");

  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Parameters(
      arity = "1..*",
      paramLabel = Labels.DEVICE,
      description = "Names of devices, or files and block devices; all are taken at one instant.")
  List<String> devices = List.of();

  @Option(
      names = "--to",
      required = true,
      paramLabel = Labels.DIRECTORY,
      description = {
        "Where the backups are: a directory, made if it is not there, or s3://BUCKET/PREFIX in a "
            + "store that speaks S3. Keys, region and AWS_ENDPOINT_URL_S3 are found as the AWS "
            + "tools find them; files are put together in TMPDIR, or /var/tmp, before they are "
            + "uploaded. An upload that is cut off is finished by the next backup of the device."
      })
  String to = "";

  @Option(names = "--full", description = "Begin a new chain.")
  boolean full;

  @Option(
      names = "--compress",
      description = "Compress where that saves something; the same as --compression deflate.")
  boolean compress;

  @Option(
      names = "--compression",
      paramLabel = Labels.ALGORITHM,
      converter = CompressionWord.Converter.class,
      completionCandidates = CompressionWord.Candidates.class,
      description = {
        "How to compress: deflate, which every QEMU reads; zstd, which packs better in less time "
            + "and QEMU reads from 5.1 on; or none. Default: none."
      })
  Optional<Compression> compression = Optional.empty();

  @Option(
      names = "--format",
      paramLabel = Labels.FORMAT,
      defaultValue = "qcow2",
      converter = ImageFormat.Converter.class,
      completionCandidates = ImageFormat.Candidates.class,
      description = {
        "Of the image: qcow2, or raw: a plain sparse file, always full. Default: ${DEFAULT-VALUE}."
      })
  ImageFormat format = ImageFormat.QCOW2;

  @Option(
      names = "--storage",
      paramLabel = Labels.PATH,
      description = {
        "Where old blocks are kept meanwhile: a file, a directory or a block device. "
            + "Default: /var/tmp."
      })
  Optional<Path> storage = Optional.empty();

  @Option(
      names = "--storage-limit",
      paramLabel = Labels.SIZE,
      converter = ByteSize.Converter.class,
      description = "Most of it that is used.")
  Optional<ByteSize> storageLimit = Optional.empty();

  @Option(names = "--json", description = "The same as -o json.")
  boolean json;

  @Mixin LoadOptions load = new LoadOptions();
  @Mixin HookOptions hooks = new HookOptions();

  public BackupCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (json) {
      context.useJson();
    }
    if (wanted() != Compression.NONE && format == ImageFormat.RAW) {
      throw new ParameterException(
          spec.commandLine(), "a compression does not go with --format raw");
    }
    context.useOwnEngineIfNoneIsLoaded();
    BackupRun.Made made = run();
    new BackupOutput(context).made(made);
    return ExitCodes.DONE;
  }

  private Compression wanted() {
    return compression.orElse(compress ? Compression.DEFLATE : Compression.NONE);
  }

  private BackupRun.Made run() throws IOException, InterruptedException {
    try (Progress progress = context.progress();
        Cancellation cancellation = Cancellation.onSignal();
        BackupStore store = Stores.open(to, context)) {
      var options =
          new BackupOptions(
              full,
              wanted(),
              format == ImageFormat.RAW,
              load.load(spec, progress, cancellation::isCancelled));
      var wishes =
          new BackupRun.SnapshotWishes(
              context.environment().absolute(storage.orElse(DEFAULT_STORAGE)),
              storageLimit
                  .map(limit -> OptionalLong.of(limit.bytes()))
                  .orElse(OptionalLong.empty()),
              hooks.hooks(context.environment()));
      return new BackupRun(context, store, options, wishes).run(devices);
    }
  }
}
