package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.command.Labels;
import blksnap.cli.command.SectorRangeConverter;
import blksnap.cli.live.Waiting;
import blksnap.cli.output.OutputFormat;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.sector.SectorRange;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Gives a snapshot room for old blocks. */
@Command(
    name = "snapshot_appendstorage",
    hidden = true,
    description = {
      "Give a snapshot a file, or ranges of a block device or file, for its storage.",
      "What they hold is overwritten. A file is used as a file, and not behind its file system."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap snapshot_appendstorage --id=\"$id\" --file=/var/tmp/diff",
      "  blksnap snapshot_appendstorage --id=\"$id\" --device=/dev/sdb --range 0:2097152"
    })
public final class AppendStorageCommand implements Callable<Integer> {
  /** Storage is handed out in blocks of so many sectors. */
  private static final long SECTORS_PER_BLOCK = 8;

  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Mixin SnapshotOption snapshot = new SnapshotOption();

  @Option(
      names = {"-f", "--file"},
      paramLabel = Labels.PATH,
      description = "File all of which is used.")
  Optional<Path> file = Optional.empty();

  @Option(
      names = {"-d", "--device"},
      paramLabel = Labels.PATH,
      description = "Block device or file of which ranges are used.")
  Optional<Path> device = Optional.empty();

  @Option(
      names = {"-r", "--range", "--ranges"},
      arity = "1..*",
      paramLabel = Labels.RANGE,
      converter = SectorRangeConverter.class,
      description = "First sector and number of sectors; may be given more than once.")
  List<SectorRange> ranges = List.of();

  public AppendStorageCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (file.isPresent() == device.isPresent() || device.isPresent() == ranges.isEmpty()) {
      throw new ParameterException(
          spec.commandLine(), "it takes either --file, or --device with --range");
    }
    Path path = context.environment().absolute(file.or(() -> device).orElseThrow());
    List<SectorRange> used = file.isPresent() ? List.of(whole(path)) : ranges;
    var request = new CtrlRequest.SnapshotAppendStorage(snapshot.id(), path.toString(), used);
    CtrlReply.Done done;
    try (Waiting _ = context.waiting("appending " + path)) {
      done = context.ask(request, CtrlReply.Done.class);
    }
    if (context.format() == OutputFormat.JSON) {
      context.printer().print(done);
    } else if (file.isPresent()) {
      used.forEach(range ->
          context.out().println("allocate range: ofs=" + range.first() + " cnt=" + range.count()));
    }
    return ExitCodes.DONE;
  }

  private static SectorRange whole(Path path) throws IOException {
    long sectors =
        (Files.size(path) >>> SectorRange.SECTOR_SHIFT) / SECTORS_PER_BLOCK * SECTORS_PER_BLOCK;
    if (sectors == 0) {
      throw new BlkSnapException(
          Errno.EINVAL, path + " is smaller than the " + SECTORS_PER_BLOCK + " sectors of a block");
    }
    return new SectorRange(0, sectors);
  }
}
