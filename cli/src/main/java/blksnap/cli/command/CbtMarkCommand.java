package blksnap.cli.command;

import blksnap.ctrl.CtrlRequest;
import blksnap.sector.SectorRange;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Marks sectors as changed. */
@Command(
    name = "mark",
    description = "Mark sectors of a device as changed, so that the next increment carries them.",
    footer = {"", "Examples:", "  blksnap cbt mark vm1 0:2048 200M:4K"})
public final class CbtMarkCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(index = "0", paramLabel = Labels.DEVICE, description = "Name of the device.")
  String device = "";

  @Parameters(
      index = "1..*",
      arity = "1..*",
      paramLabel = Labels.RANGE,
      converter = SectorRangeConverter.class,
      description = "First sector and number of sectors, of 512 bytes; or sizes with K, M, G or T.")
  List<SectorRange> ranges = List.of();

  public CbtMarkCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    return context.show(new CtrlRequest.CbtMark(device, ranges));
  }
}
