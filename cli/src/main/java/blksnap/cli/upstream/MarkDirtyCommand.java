package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Labels;
import blksnap.cli.command.SectorRangeConverter;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.sector.SectorRange;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Marks sectors of a device, or what a file takes of it, as changed. */
@Command(
    name = "markdirtyblock",
    hidden = true,
    description = {
      "Mark sectors of a device, or those that a file on it takes, as changed.",
      "A file is looked up on the block device that its file system is on, sector by sector the"
          + " same as the tracked device. When that block device is the tracked device itself,"
          + " --device can be left out; when it only leads to it, as one over NBD does, it must be"
          + " named."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap markdirtyblock --device=vm1 --ranges 0:2048 409600:8",
      "  blksnap markdirtyblock --device=vm1 --file=/mnt/vm1/db"
    })
public final class MarkDirtyCommand implements Callable<Integer> {
  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Option(
      names = {"-f", "--file"},
      paramLabel = Labels.FILE,
      description = "File whose place on the device is marked.")
  Optional<Path> file = Optional.empty();

  @Option(
      names = {"-d", "--device"},
      paramLabel = Labels.DEVICE,
      description = "Name or path of the device, or name of an image of it.")
  Optional<String> device = Optional.empty();

  @Option(
      names = {"-r", "--ranges"},
      arity = "1..*",
      paramLabel = Labels.RANGE,
      converter = SectorRangeConverter.class,
      description = "First sector and number of sectors.")
  List<SectorRange> ranges = List.of();

  public MarkDirtyCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (file.isPresent() == !ranges.isEmpty()) {
      throw new ParameterException(spec.commandLine(), "it takes either --file or --ranges");
    }
    if (file.isEmpty() && device.isEmpty()) {
      throw new ParameterException(spec.commandLine(), "--ranges needs --device");
    }
    List<SectorRange> marked = ranges;
    var devices = new Devices(context);
    Optional<String> name = Optional.empty();
    if (device.isPresent()) {
      name = Optional.of(devices.original(device.get()));
    }
    if (file.isPresent()) {
      var places = FilePlaces.of(context.environment().absolute(file.get()));
      marked = places.sectors();
      if (name.isEmpty()) {
        name = places.deviceAmong(devices.all());
      }
    }
    String found =
        name.orElseThrow(() ->
            new BlkSnapException(
                    Errno.ENODEV, "the file system of " + file.get() + " is on no attached device")
                .withHint("name the device that it leads to with --device"));
    return context.show(new CtrlRequest.CbtMark(found, marked));
  }
}
