package blksnap.cli.upstream;

import blksnap.cli.command.Labels;
import picocli.CommandLine.Option;

/** The device that a command is about. */
final class DeviceOption {
  @Option(
      names = {"-d", "--device"},
      required = true,
      paramLabel = Labels.DEVICE,
      description = "Name or path of the device.")
  String device = "";

  String device() {
    return device;
  }
}
