package blksnap.cli.command;

import blksnap.cli.output.OutputPrinter;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Prints the events of a snapshot until it is gone. */
@Command(
    name = "watch",
    description = {
      "Print the events of a snapshot, one a line, until it is destroyed.",
      "An event goes to one reader only: do not watch and wait at the same time."
    },
    footer = {"", "Examples:", "  blksnap snapshot watch monday -o json"})
public final class SnapshotWatchCommand implements Callable<Integer> {
  /** One request waits this long; the next one follows at once. */
  static final long SLICE_MILLIS = 10_000;

  private final CommandContext context;

  @Parameters(paramLabel = Labels.SNAPSHOT, description = "Name or UUID.")
  String snapshot = "";

  public SnapshotWatchCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    // By its UUID from here on: another snapshot may get the name. An unknown one is refused here.
    var found = context.ask(new CtrlRequest.SnapshotInfo(snapshot), CtrlReply.SnapshotEntry.class);
    var request = new CtrlRequest.SnapshotWait(found.id().toString(), SLICE_MILLIS);
    OutputPrinter printer = context.printer();
    while (!context.outputIsGone()) {
      try {
        printer.print(context.ask(request, CtrlReply.SnapshotEvent.class));
      } catch (BlkSnapException refusal) {
        if (refusal.errno() == Errno.ESRCH) {
          return ExitCodes.DONE;
        }
        if (refusal.errno() != Errno.ETIMEDOUT) {
          throw refusal;
        }
      }
    }
    return ExitCodes.DONE;
  }
}
