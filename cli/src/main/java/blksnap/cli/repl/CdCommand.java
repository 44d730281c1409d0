package blksnap.cli.repl;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.command.Labels;
import blksnap.cli.command.TreePath;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.status.StatusNode;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Moves to another place in the status tree. */
@Command(
    name = "cd",
    description = "Move to a directory of the status tree; without one, to its root.",
    footer = {"", "Examples:", "  cd /sys/block/vm1", "  cd ..", "  cd"})
final class CdCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(arity = "0..1", paramLabel = Labels.NODE, description = "Directory to move to.")
  Optional<String> path = Optional.empty();

  CdCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    TreePath wanted = path.map(context.place()::resolve).orElse(TreePath.ROOT);
    if (!wanted.isRoot()) {
      var reply = context.ask(new CtrlRequest.Status(wanted.text()), CtrlReply.Tree.class);
      if (reply.node() instanceof StatusNode.Attribute) {
        throw new BlkSnapException(Errno.ENOTDIR, wanted.text() + " is a value, not a directory");
      }
    }
    context.moveTo(wanted);
    return ExitCodes.DONE;
  }
}
