package blksnap.cli.command;

import blksnap.cli.output.OutputFormat;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Prints the status tree, or a part of it. */
@Command(
    name = "status",
    description = {
      "Print the status tree, or the part of it under a path.",
      "Values are read as they are printed. With -o plain: path, tab, value; one line a value."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap status",
      "  blksnap status /sys/block/vm1",
      "  blksnap status --json | jq .sys.fs.blksnap"
    })
public final class StatusCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(arity = "0..1", paramLabel = Labels.NODE, description = "Path in the status tree.")
  private Optional<String> path = Optional.empty();

  @Option(names = "--json", description = "The same as -o json.")
  private boolean json;

  public StatusCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    String whole = path.map(context.place()::resolve).orElse(TreePath.ROOT).text();
    var tree = context.ask(new CtrlRequest.Status(whole), CtrlReply.Tree.class);
    context.printer(json ? OutputFormat.JSON : context.format()).tree(whole, tree.node());
    return ExitCodes.DONE;
  }
}
