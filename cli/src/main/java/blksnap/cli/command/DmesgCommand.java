package blksnap.cli.command;

import blksnap.cli.output.Failure;
import blksnap.cli.output.OutputFormat;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.log.LogRing;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Prints the engine's log, once or as it grows. */
@Command(
    name = "dmesg",
    description = {
      "Print the engine's log.",
      "In brackets stand the seconds since load.",
      "With -o plain: seconds since load, level and text, between tabs."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap dmesg",
      "  blksnap dmesg --level warning",
      "  blksnap dmesg --follow -o json"
    })
public final class DmesgCommand implements Callable<Integer> {
  /** One request waits this long for a line; the next one follows at once. */
  static final long SLICE_MILLIS = 10_000;

  /** Columns of the longest level and a blank. */
  private static final int LEVEL_WIDTH = 8;

  private final CommandContext context;

  @Option(
      names = {"-w", "--follow"},
      description = "Go on printing lines as they come, until interrupted.")
  boolean follow;

  @Option(
      names = {"-l", "--level"},
      paramLabel = "LEVEL",
      converter = EnumWord.ToLevel.class,
      completionCandidates = EnumWord.Levels.class,
      description = "Only lines that are at least so grave: ${COMPLETION-CANDIDATES}.")
  LogRing.Level level = LogRing.Level.DEBUG;

  @Option(
      names = {"-x", "--decode"},
      description = "Write the level before each line of a table, too.")
  boolean decode;

  public DmesgCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (follow) {
      follow();
    } else {
      List<LogRing.Line> wanted = all().stream().filter(this::isWanted).toList();
      if (decode && context.format() == OutputFormat.TABLE) {
        wanted.forEach(this::print);
      } else {
        context.printer().print(new CtrlReply.LogLines(wanted));
      }
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
        if (isWanted(line)) {
          print(line);
        }
        next = line.sequence() + 1;
      }
    }
  }

  private boolean isWanted(LogRing.Line line) {
    return line.level().compareTo(level) <= 0;
  }

  private void print(LogRing.Line line) {
    if (decode && context.format() == OutputFormat.TABLE) {
      String word = line.level().name().toLowerCase(Locale.ROOT);
      context.out().print(word + " ".repeat(Math.max(1, LEVEL_WIDTH - word.length())));
    }
    context.printer().logLine(line);
  }

  private List<LogRing.Line> lines(long from, long waitMillis)
      throws IOException, InterruptedException {
    var request = new CtrlRequest.Dmesg(from, waitMillis);
    return context.ask(request, CtrlReply.LogLines.class).lines();
  }
}
