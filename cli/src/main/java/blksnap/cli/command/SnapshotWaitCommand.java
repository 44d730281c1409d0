package blksnap.cli.command;

import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Waits for one event of a snapshot. */
@Command(
    name = "wait",
    description = {
      "Wait for one event of a snapshot and print it.",
      "Events are low_free_space, full_soon, no_space, corrupted, storage_trouble and map_at_risk.",
      "Fails with ETIMEDOUT when none came in time."
    },
    footer = {"", "Examples:", "  blksnap snapshot wait monday --timeout 5000 -o json"})
public final class SnapshotWaitCommand implements Callable<Integer> {
  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Parameters(paramLabel = Labels.SNAPSHOT, description = "Name or UUID.")
  String snapshot = "";

  @Option(
      names = "--timeout",
      paramLabel = "MS",
      defaultValue = "10000",
      description = "Longest wait in milliseconds. Default: ${DEFAULT-VALUE}.")
  long timeoutMillis;

  public SnapshotWaitCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (timeoutMillis < 0) {
      throw new ParameterException(
          spec.commandLine(), "--timeout " + timeoutMillis + " is negative");
    }
    return context.show(new CtrlRequest.SnapshotWait(snapshot, timeoutMillis));
  }
}
