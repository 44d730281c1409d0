package blksnap.cli.command;

import blksnap.cli.live.Progress;
import blksnap.cli.output.OutputFormat;
import blksnap.cli.output.OutputPrinter;
import blksnap.ctrl.CtrlProgress;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.sector.ByteRange;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Prints which parts of a device changed, page by page, or writes the raw map into a file. */
@Command(
    name = "map",
    description = {
      "Print which parts of a device changed, in bytes, ascending and merged.",
      "Without --since: everything that changed in this generation. Without --until: up to now; "
          + "with it, up to the moment when that snapshot was taken."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap cbt map vm1 --since monday --until tuesday -o plain",
      "  blksnap cbt map vm1 --raw vm1.cbt"
    })
public final class CbtMapCommand implements Callable<Integer> {
  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Parameters(paramLabel = Labels.DEVICE, description = "Name of the device.")
  String device = "";

  @Option(
      names = "--since",
      paramLabel = Labels.SNAPSHOT,
      description = "Number of a take from 0 to 255, or a snapshot: only what changed after it.")
  Optional<String> since = Optional.empty();

  @Option(
      names = "--until",
      paramLabel = Labels.SNAPSHOT,
      description = "Snapshot whose frozen map is read.")
  Optional<String> until = Optional.empty();

  @Option(
      names = "--raw",
      paramLabel = Labels.FILE,
      description = "Write the map itself into this file, one byte a block.")
  Optional<Path> raw = Optional.empty();

  public CbtMapCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (raw.isEmpty()) {
      return printRanges();
    }
    if (since.isPresent()) {
      throw new ParameterException(
          spec.commandLine(),
          "--since chooses ranges and --raw writes every byte: use one of them");
    }
    new RawMap(context, device, until).writeTo(context.environment().absolute(raw.get()));
    context.printer().print(new CtrlReply.Done());
    return ExitCodes.DONE;
  }

  private int printRanges() throws IOException, InterruptedException {
    // Asked before anything is printed, so that a refusal leaves no half of an answer.
    CtrlReply.CbtRanges page = page(0);
    try (Progress progress = progress();
        OutputPrinter.RangeStream stream = context.printer().ranges()) {
      var merger = new RangeMerger(stream);
      page.ranges().forEach(merger::add);
      while (page.next().isPresent() && !context.outputIsGone()) {
        long next = page.next().getAsLong();
        progress.accept(new CtrlProgress("reading the map, bytes", next, OptionalLong.empty()));
        page = page(next);
        page.ranges().forEach(merger::add);
      }
      merger.finish();
    }
    return ExitCodes.DONE;
  }

  /** Where the ranges are read while they are printed, they tell enough themselves. */
  private Progress progress() {
    return context.format() != OutputFormat.JSON && context.environment().terminalOut()
        ? Progress.SILENT
        : context.progress();
  }

  private CtrlReply.CbtRanges page(long fromOffset) throws IOException, InterruptedException {
    var request = new CtrlRequest.CbtMap(device, since, until, fromOffset);
    var page = context.ask(request, CtrlReply.CbtRanges.class);
    OptionalLong next = page.next();
    if (next.isPresent() && next.getAsLong() <= fromOffset) {
      throw new BlkSnapException(
          Errno.EPROTO, "the page at " + fromOffset + " is followed by one at " + next.getAsLong());
    }
    return page;
  }

  /** Joins ranges that touch, also across the edges of pages. */
  private static final class RangeMerger {
    private final OutputPrinter.RangeStream stream;
    private Optional<ByteRange> held = Optional.empty();

    RangeMerger(OutputPrinter.RangeStream stream) {
      this.stream = stream;
    }

    void add(ByteRange range) {
      if (held.isPresent() && held.get().end() == range.offset()) {
        held =
            Optional.of(new ByteRange(held.get().offset(), held.get().length() + range.length()));
      } else {
        finish();
        held = Optional.of(range);
      }
    }

    void finish() {
      held.ifPresent(stream::add);
      held = Optional.empty();
    }
  }
}
