package blksnap.cli.live;

import blksnap.cli.output.HumanSize;
import blksnap.cli.output.Palette;
import blksnap.cli.output.Printable;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * A {@link ChangeGrid} in characters, and for programs. A character says how much of its cell
 * changed, in two sets: one for cells that changed since the last take, one for all others. Colour
 * tells the ages further apart.
 */
public final class GridText {
  private static final String[] UNICODE = {"·", "░▒▓█", "▁▃▅▇"};
  private static final String[] ASCII = {".", "-=%#", ",:oO"};
  private static final int LEVELS = 4;
  private static final int OFFSET_WIDTH = 8;

  private final ChangeGrid grid;
  private final Palette palette;
  private final String[] set;

  public GridText(ChangeGrid grid, Palette palette, boolean unicode) {
    this.grid = grid;
    this.palette = palette;
    this.set = unicode ? UNICODE : ASCII;
  }

  /**
   * The grid, the legend and the totals.
   *
   * @param columns cells in a line
   */
  public List<String> lines(int columns) {
    var lines = new ArrayList<String>();
    List<ChangeGrid.Cell> cells = grid.cells();
    for (int first = 0; first < cells.size(); first += columns) {
      var line = new StringBuilder();
      String offset = HumanSize.of(cells.get(first).offset());
      line.append(" ".repeat(Math.max(0, OFFSET_WIDTH - offset.length()))).append(offset);
      line.append(' ');
      for (ChangeGrid.Cell cell : cells.subList(first, Math.min(cells.size(), first + columns))) {
        line.append(drawn(cell));
      }
      lines.add(line.toString());
    }
    lines.add("");
    legend(lines);
    return lines;
  }

  private String drawn(ChangeGrid.Cell cell) {
    int level = cell.level(LEVELS);
    if (level == 0) {
      return set[0];
    }
    ChangeGrid.Age age = ChangeGrid.Age.of(cell.newest().orElse(0));
    return painted(age, level);
  }

  private String painted(ChangeGrid.Age age, int level) {
    String signs = set[age == ChangeGrid.Age.NEWEST ? 1 : 2];
    return painted(age, signs.substring(level - 1, level));
  }

  private String painted(ChangeGrid.Age age, String text) {
    return switch (age) {
      case NEWEST -> palette.alarm(text);
      case RECENT -> palette.warning(text);
      case OLD -> palette.directory(text);
      case OLDEST -> text;
    };
  }

  private void legend(List<String> lines) {
    String cell = grid.cells().isEmpty() ? "0B" : HumanSize.of(grid.cells().getFirst().length());
    lines.add(
        Printable.of(grid.device())
            + ": "
            + HumanSize.of(grid.sizeBytes())
            + ", a sign is about "
            + cell
            + "; "
            + set[0]
            + " unchanged, then up to 25, 50, 75 and 100 % of it");
    for (ChangeGrid.Age age : ChangeGrid.Age.values()) {
      String signs = set[age == ChangeGrid.Age.NEWEST ? 1 : 2];
      long bytes = grid.bytes(age);
      lines.add("  " + painted(age, signs) + "  " + pad(age.words()) + HumanSize.of(bytes));
    }
    lines.add("  " + " ".repeat(LEVELS) + "  " + pad("changed in all") + total());
  }

  private static String pad(String words) {
    int width = 0;
    for (ChangeGrid.Age age : ChangeGrid.Age.values()) {
      width = Math.max(width, age.words().length());
    }
    return words + " ".repeat(width + 2 - words.length());
  }

  private String total() {
    double part = grid.sizeBytes() == 0 ? 0 : 100.0 * grid.changedBytes() / grid.sizeBytes();
    return HumanSize.of(grid.changedBytes()) + String.format(Locale.ROOT, " (%.1f %%)", part);
  }

  /** A cell a line: offset, length and changed bytes; how many intervals ago, or nothing. */
  public static void plain(ChangeGrid grid, PrintWriter out) {
    for (ChangeGrid.Cell cell : grid.cells()) {
      String newest = cell.newest().isPresent() ? Integer.toString(cell.newest().getAsInt()) : "";
      out.println(cell.offset() + "\t" + cell.length() + "\t" + cell.changed() + "\t" + newest);
    }
  }

  /** All of it as one object. */
  public static JsonObject json(ChangeGrid grid) {
    var cells = new JsonArray();
    for (ChangeGrid.Cell cell : grid.cells()) {
      var object = new JsonObject();
      object.addProperty("offset", cell.offset());
      object.addProperty("length", cell.length());
      object.addProperty("changed", cell.changed());
      if (cell.newest().isPresent()) {
        object.addProperty("intervals_ago", cell.newest().getAsInt());
      }
      cells.add(object);
    }
    var all = new JsonObject();
    all.addProperty("device", grid.device());
    all.addProperty("block_size", grid.blockBytes());
    all.addProperty("size_bytes", grid.sizeBytes());
    all.addProperty("changed", grid.changedBytes());
    all.add("cells", cells);
    return all;
  }
}
