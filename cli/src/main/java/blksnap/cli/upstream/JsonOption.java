package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.cli.output.OutputFormat;
import picocli.CommandLine.Option;

/** The option that upstream declared and never made work. */
final class JsonOption {
  @Option(
      names = {"-j", "--json"},
      description = "Print JSON; the same as -o json.")
  boolean json;

  boolean wanted(CommandContext context) {
    return json || context.format() == OutputFormat.JSON;
  }
}
