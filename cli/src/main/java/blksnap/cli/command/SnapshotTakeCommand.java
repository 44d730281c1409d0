package blksnap.cli.command;

import blksnap.cli.output.OutputFormat;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** Takes a created snapshot. */
@Command(
    name = "take",
    description = {
      "Take a created snapshot: freeze its view of all its devices at one instant.",
      "If it fails the snapshot stays created, and taking it can be tried again.",
      "An image is crash-consistent, as a disk after a power cut, unless the file systems on it"
          + " rest at the instant: that is what --freeze is for, and --pre and --post for programs."
          + " Whatever happens, nothing stays frozen longer than --freeze-timeout, and --post runs"
          + " if --pre did. The commands find BLKSNAP_HOOK (pre or post), BLKSNAP_SNAPSHOT,"
          + " BLKSNAP_SNAPSHOT_ID and BLKSNAP_DEVICES in their environment, --post also"
          + " BLKSNAP_RESULT (taken or failed) and BLKSNAP_CONSISTENCY."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap snapshot take monday",
      "  blksnap snapshot take monday --freeze /srv/mail --pre 'mailctl pause' --post 'mailctl go'"
    })
public final class SnapshotTakeCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(paramLabel = Labels.SNAPSHOT, description = "Name or UUID.")
  String snapshot = "";

  @Mixin HookOptions options = new HookOptions();

  public SnapshotTakeCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    var request = new CtrlRequest.SnapshotTake(snapshot, options.hooks(context.environment()));
    var taken = context.ask(request, CtrlReply.Taken.class);
    if (options.asked() || context.format() == OutputFormat.JSON) {
      context.printer().print(taken); // else there is nothing that was not known before
    }
    options.warn(context, taken);
    return ExitCodes.DONE;
  }
}
