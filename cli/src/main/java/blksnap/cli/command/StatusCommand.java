package blksnap.cli.command;

import blksnap.cli.live.LiveView;
import blksnap.cli.output.OutputPrinter;
import blksnap.cli.output.TablePrinter;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.status.StatusNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Prints the status tree, or a part of it, once or again and again. */
@Command(
    name = "status",
    description = {
      "Print the status tree, or the part of it under a path.",
      "Values are read as they are printed. With -o plain: path, tab, value; one line a value.",
      "With --watch, on a terminal, the tree is redrawn in place until q is pressed; elsewhere it"
          + " is printed once each interval, with an empty line between."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap status",
      "  blksnap status /sys/block/vm1",
      "  blksnap status /sys/fs/blksnap --watch=5",
      "  blksnap status --json | jq .sys.fs.blksnap"
    })
public final class StatusCommand implements Callable<Integer> {
  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Mixin WatchOptions options = new WatchOptions();

  @Parameters(arity = "0..1", paramLabel = Labels.NODE, description = "Path in the status tree.")
  Optional<String> path = Optional.empty();

  @Option(names = "--json", description = "The same as -o json.")
  boolean json;

  @Option(
      names = "--watch",
      arity = "0..1",
      paramLabel = Labels.SECONDS,
      converter = WatchOptions.Seconds.class,
      fallbackValue = WatchOptions.USUAL_SECONDS,
      preprocessor = WatchOptions.SecondsBehindSign.class,
      description = "Show it again at intervals, of 2 seconds if none is given.")
  Optional<Long> watchMillis = Optional.empty();

  public StatusCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (json) {
      context.useJson();
    }
    String whole = path.map(context.place()::resolve).orElse(TreePath.ROOT).text();
    var view = new View(whole);
    if (watchMillis.isPresent()) {
      if (json) {
        throw new ParameterException(spec.commandLine(), "with --watch, write -o json");
      }
      return context.show(new LiveView(view, watchMillis.get(), options.count()));
    }
    if (options.count() != Long.MAX_VALUE) {
      throw new ParameterException(spec.commandLine(), "--count means something with --watch only");
    }
    view.refresh();
    view.print(context.printer());
    return ExitCodes.DONE;
  }

  /** The tree as it was asked last. */
  private final class View implements LiveView.Content {
    private final String whole;
    private StatusNode node = new StatusNode.Directory("", List.of());

    View(String whole) {
      this.whole = whole;
    }

    @Override
    public void refresh() throws IOException, InterruptedException {
      node = context.ask(new CtrlRequest.Status(whole), CtrlReply.Tree.class).node();
    }

    @Override
    public List<String> screen(int columns) {
      var text = new StringWriter();
      print(
          new TablePrinter(
              new PrintWriter(text), context.outPalette(), context.environment().isUtf8()));
      return text.toString().lines().toList();
    }

    @Override
    public void print() {
      print(context.printer());
    }

    void print(OutputPrinter printer) {
      printer.tree(whole, node);
    }
  }
}
