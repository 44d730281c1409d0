package blksnap.cli.repl;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Labels;
import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Sets a value of the status tree, in the words that one would use for sysfs. */
@Command(
    name = "echo",
    description = "Set a value of the status tree.",
    footer = {"", "Examples:", "  echo 64 > /sys/module/blksnap/parameters/chunk_maximum_in_cache"})
final class EchoCommand implements Callable<Integer> {
  private static final String INTO = ">";

  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Parameters(index = "0", paramLabel = Labels.VALUE, description = "The new value.")
  String value = "";

  @Parameters(index = "1", paramLabel = INTO, description = "The sign itself.")
  String sign = "";

  @Parameters(index = "2", paramLabel = Labels.NODE, description = "Path of the value.")
  String path = "";

  EchoCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (!sign.equals(INTO)) {
      throw new ParameterException(
          spec.commandLine(), "write 'echo VALUE > NODE', not 'echo VALUE " + sign + " NODE'");
    }
    return context.show(new CtrlRequest.Echo(context.place().resolve(path).text(), value));
  }
}
