package blksnap.cli.command;

import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Changes a parameter of the running engine. */
@Command(
    name = "set",
    description = {
      "Change a parameter of the running engine; a value outside its range is refused.",
      "'param list' says when the change takes effect."
    },
    footer = {"", "Examples:", "  blksnap param set chunk_maximum_in_cache 64"})
public final class ParamSetCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(index = "0", paramLabel = Labels.PARAMETER, description = "Name of the parameter.")
  String name = "";

  @Parameters(index = "1", paramLabel = Labels.VALUE, description = "Its new value.")
  String value = "";

  public ParamSetCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    return context.show(new CtrlRequest.ParamSet(name, value));
  }
}
