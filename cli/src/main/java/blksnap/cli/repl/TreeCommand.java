package blksnap.cli.repl;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.command.Labels;
import blksnap.cli.command.TreePath;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Draws the status tree from a place on. */
@Command(
    name = "tree",
    description = "Draw the status tree from a directory; without one, from here.",
    footer = {"", "Examples:", "  tree", "  tree /sys/fs/blksnap"})
final class TreeCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(arity = "0..1", paramLabel = Labels.NODE, description = "Directory to draw.")
  Optional<String> path = Optional.empty();

  TreeCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    TreePath wanted = path.map(context.place()::resolve).orElse(context.place());
    var reply = context.ask(new CtrlRequest.Status(wanted.text()), CtrlReply.Tree.class);
    context.printer().tree(wanted.text(), reply.node());
    return ExitCodes.DONE;
  }
}
