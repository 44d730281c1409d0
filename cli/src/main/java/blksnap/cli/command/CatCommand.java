package blksnap.cli.command;

import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Prints one value of the status tree. */
@Command(
    name = "cat",
    description = "Print one value of the status tree.",
    footer = {"", "Examples:", "  blksnap cat /sys/module/blksnap/parameters/chunk_minimum_shift"})
public final class CatCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(paramLabel = Labels.NODE, description = "Path of the value in the status tree.")
  String path = "";

  public CatCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    return context.show(new CtrlRequest.Cat(context.place().resolve(path).text()));
  }
}
