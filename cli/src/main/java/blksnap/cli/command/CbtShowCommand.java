package blksnap.cli.command;

import blksnap.cli.live.ChangeGrid;
import blksnap.cli.live.GridSvg;
import blksnap.cli.live.GridText;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.sector.ByteRange;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.BitSet;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Draws which parts of a device changed, and how lately. */
@Command(
    name = "show",
    description = {
      "Draw a device as a grid: how much of each part changed, and how lately.",
      "With -o plain: offset and length of a part, bytes of it that changed, and how many takes ago"
          + " the last change was; parts that did not change have nothing there."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap cbt show vm1",
      "  blksnap cbt show vm1 --since monday --svg vm1.svg"
    })
public final class CbtShowCommand implements Callable<Integer> {
  /** Cells in a line, where the terminal has room for them. */
  private static final int COLUMNS = 64;

  /** Columns before the first cell. */
  private static final int EDGE = 9;

  private static final int ROWS = 16;

  /** Cells in a line of a picture, and lines. */
  private static final int SVG_COLUMNS = 96;

  private static final int SVG_ROWS = 64;

  private final CommandContext context;

  @Parameters(paramLabel = Labels.DEVICE, description = "Name of the device.")
  String device = "";

  @Option(
      names = "--since",
      paramLabel = Labels.SNAPSHOT,
      description = "Number of a take from 0 to 255, or a snapshot: only what changed after it.")
  Optional<String> since = Optional.empty();

  @Option(
      names = "--svg",
      paramLabel = Labels.FILE,
      description = "Write it into this file as a picture.")
  Optional<Path> svg = Optional.empty();

  public CbtShowCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (svg.isPresent()) {
      writePicture(context.environment().absolute(svg.get()));
      context.printer().print(new CtrlReply.Done());
      return ExitCodes.DONE;
    }
    int columns = Math.clamp(context.columns() - EDGE, 1, COLUMNS);
    ChangeGrid grid = grid(columns * ROWS);
    switch (context.format()) {
      case TABLE ->
          new GridText(grid, context.outPalette(), context.environment().isUtf8())
              .lines(columns)
              .forEach(context.out()::println);
      case PLAIN -> GridText.plain(grid, context.out());
      case JSON -> context.out().println(GridText.json(grid));
    }
    return ExitCodes.DONE;
  }

  private void writePicture(Path file) throws IOException, InterruptedException {
    String picture = GridSvg.of(grid(SVG_COLUMNS * SVG_ROWS), SVG_COLUMNS);
    Path part = file.resolveSibling(file.getFileName() + ".part");
    try {
      Files.writeString(part, picture);
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(part);
    }
  }

  private ChangeGrid grid(int cells) throws IOException, InterruptedException {
    var state = context.ask(new CtrlRequest.CbtInfo(device), CtrlReply.CbtState.class);
    BitSet wanted = wanted(state.blockSize());
    byte[] map = new RawMap(context, device, Optional.empty()).read();
    if (since.isEmpty()) {
      wanted.set(0, map.length);
    }
    return ChangeGrid.of(
        device,
        state.blockSize(),
        state.deviceCapacity(),
        map,
        wanted,
        state.snapNumber() + 1,
        cells);
  }

  /** The blocks that changed since what was named. */
  private BitSet wanted(long blockBytes) throws IOException, InterruptedException {
    var wanted = new BitSet();
    if (since.isEmpty()) {
      return wanted;
    }
    long from = 0;
    OptionalLong next;
    do {
      var request = new CtrlRequest.CbtMap(device, since, Optional.empty(), from);
      var page = context.ask(request, CtrlReply.CbtRanges.class);
      for (ByteRange range : page.ranges()) {
        wanted.set(
            (int) (range.offset() / blockBytes), (int) Math.ceilDiv(range.end(), blockBytes));
      }
      next = page.next();
      if (next.isPresent() && next.getAsLong() <= from) {
        throw new BlkSnapException(
            Errno.EPROTO, "the page at " + from + " is followed by one at " + next.getAsLong());
      }
      from = next.orElse(0);
    } while (next.isPresent());
    return wanted;
  }
}
