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

/** Lists a directory of the status tree. */
@Command(
    name = "ls",
    description = "List a directory of the status tree; without one, this place.",
    footer = {"", "Examples:", "  ls", "  ls /sys/block -o plain"})
final class LsCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(arity = "0..1", paramLabel = Labels.NODE, description = "Directory to list.")
  Optional<String> path = Optional.empty();

  LsCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    TreePath wanted = path.map(context.place()::resolve).orElse(context.place());
    var request = new CtrlRequest.Status(wanted.text());
    context.printer().listing(context.ask(request, CtrlReply.Tree.class).node());
    return ExitCodes.DONE;
  }
}
