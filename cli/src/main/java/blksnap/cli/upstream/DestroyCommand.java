package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Destroys a snapshot. */
@Command(
    name = "snapshot_destroy",
    hidden = true,
    description = "Destroy a snapshot.",
    footer = {"", "Examples:", "  blksnap snapshot_destroy --id=\"$id\""})
public final class DestroyCommand implements Callable<Integer> {
  private final CommandContext context;

  @Mixin SnapshotOption snapshot = new SnapshotOption();

  public DestroyCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    return context.show(new CtrlRequest.SnapshotDestroy(snapshot.id()));
  }
}
