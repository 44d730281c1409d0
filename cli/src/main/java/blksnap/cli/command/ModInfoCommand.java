package blksnap.cli.command;

import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** Shows the running engine. */
@Command(
    name = "modinfo",
    description = "Show the running engine: version, state, directories and parameters.",
    footer = {"", "Examples:", "  blksnap modinfo"})
public final class ModInfoCommand implements Callable<Integer> {
  private final CommandContext context;

  public ModInfoCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    return context.show(new CtrlRequest.ModInfo());
  }
}
