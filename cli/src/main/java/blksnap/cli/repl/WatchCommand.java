package blksnap.cli.repl;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Labels;
import blksnap.cli.command.WatchOptions;
import blksnap.cli.live.LiveView;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Repeats a command and shows what it prints. */
@Command(
    name = "watch",
    description = {
      "Repeat a command and show what it prints; on a terminal in place, until q is pressed.",
      "Options of watch stand before the command, those of the command behind it."
    },
    footer = {"", "Examples:", "  watch snapshot list", "  watch -i 5 snapshot info monday"})
final class WatchCommand implements Callable<Integer>, LiveView.Content {
  private final CommandContext context;
  private final ShellSession session;

  @Mixin WatchOptions options = new WatchOptions();

  @Option(
      names = {"-i", "--interval"},
      paramLabel = Labels.SECONDS,
      converter = WatchOptions.Seconds.class,
      defaultValue = WatchOptions.USUAL_SECONDS,
      description = "Time between two runs; 2 seconds if not given.")
  long intervalMillis;

  @Parameters(arity = "1..*", paramLabel = "COMMAND", description = "The command and its words.")
  List<String> words = List.of();

  private String text = "";

  WatchCommand(CommandContext context, ShellSession session) {
    this.context = context;
    this.session = session;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    return context.show(new LiveView(this, intervalMillis, options.count()));
  }

  @Override
  public void refresh() throws IOException, InterruptedException {
    text = session.capture(words);
  }

  @Override
  public List<String> screen(int columns) {
    return text.lines().toList();
  }

  @Override
  public void print() {
    context.out().print(text);
  }
}
