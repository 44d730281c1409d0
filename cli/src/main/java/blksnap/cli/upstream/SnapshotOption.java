package blksnap.cli.upstream;

import blksnap.cli.command.Labels;
import picocli.CommandLine.Option;

/** The snapshot that a command is about. */
final class SnapshotOption {
  @Option(
      names = {"-i", "--id"},
      required = true,
      paramLabel = Labels.SNAPSHOT,
      description = "UUID or name of the snapshot.")
  String id = "";

  String id() {
    return id;
  }
}
