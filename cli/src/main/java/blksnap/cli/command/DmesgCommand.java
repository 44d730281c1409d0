package blksnap.cli.command;

import blksnap.cli.output.Failure;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.log.LogRing;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Prints the engine's log, once or as it grows. */
@Command(
    name = "dmesg",
    description = {
      "Print the engine's log.",
      "With -o plain: seconds since load, level and text, between tabs."
    },
    footer = {"", "Examples:", "  blksnap dmesg", "  blksnap dmesg --follow -o json"})
public final class DmesgCommand implements Callable<Integer> {
  /** One request waits this long for a line; the next one follows at once. */
  static final long SLICE_MILLIS = 10_000;

  private final CommandContext context;

  @Option(
      names = {"-w", "--follow"},
      description = "Go on printing lines as they come, until interrupted.")
  private boolean follow;

  public DmesgCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (follow) {
      follow();
    } else {
      context.printer().print(new CtrlReply.LogLines(all()));
    }
    return ExitCodes.DONE;
  }

  /**
   * All that the ring holds, however many lines the engine gives at once; not more, should it log
   * meanwhile.
   */
  private List<LogRing.Line> all() throws IOException, InterruptedException {
    var all = new ArrayList<LogRing.Line>();
    List<LogRing.Line> page = lines(0, 0);
    while (!page.isEmpty() && all.size() < LogRing.CAPACITY) {
      all.addAll(page);
      page = lines(page.getLast().sequence() + 1, 0);
    }
    return all;
  }

  private void follow() throws IOException, InterruptedException {
    long next = 0;
    while (!context.outputIsGone()) {
      for (LogRing.Line line : lines(next, SLICE_MILLIS)) {
        if (line.sequence() > next && next > 0) {
          context.err().println(Failure.PREFIX + (line.sequence() - next) + " lines were lost");
        }
        context.printer().logLine(line);
        next = line.sequence() + 1;
      }
    }
  }

  private List<LogRing.Line> lines(long from, long waitMillis)
      throws IOException, InterruptedException {
    var request = new CtrlRequest.Dmesg(from, waitMillis);
    return context.ask(request, CtrlReply.LogLines.class).lines();
  }
}
