package blksnap.cli.command;

import blksnap.cli.live.Waiting;
import blksnap.ctrl.CtrlRequest;
import blksnap.sector.SectorRange;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Gives a snapshot more room for old blocks. */
@Command(
    name = "append-storage",
    description =
        "Give a snapshot more room for old blocks: a file, a block device, or parts of one.",
    footer = {
      "",
      "Examples:",
      "  blksnap snapshot append-storage monday /var/tmp/more.diff",
      "  blksnap snapshot append-storage monday /dev/vg0/spare --range 2048:2G"
    })
public final class SnapshotAppendStorageCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(index = "0", paramLabel = Labels.SNAPSHOT, description = "Name or UUID.")
  String snapshot = "";

  @Parameters(index = "1", paramLabel = Labels.PATH, description = "File or block device.")
  Path path = Path.of("");

  @Option(
      names = "--range",
      paramLabel = Labels.RANGE,
      converter = SectorRangeConverter.class,
      description =
          "Use only these sectors of it, or sizes with K, M, G or T; may be given more than once.")
  List<SectorRange> ranges = List.of();

  public SnapshotAppendStorageCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    String absolute = context.environment().absolute(path).toString();
    try (Waiting _ = context.waiting("appending " + path)) {
      return context.show(new CtrlRequest.SnapshotAppendStorage(snapshot, absolute, ranges));
    }
  }
}
