package blksnap.cli.live;

import blksnap.cli.output.HumanSize;
import java.util.List;
import java.util.Locale;

/** A {@link ChangeGrid} as a picture: the colour of a cell is its age, its strength how much. */
public final class GridSvg {
  private static final int SIDE = 10;
  private static final int MARGIN = 20;
  private static final int LINE = 18;
  private static final double FAINTEST = 0.25;
  private static final String EMPTY = "#eeeeee";

  private GridSvg() {}

  /**
   * A whole document.
   *
   * @param columns cells in a line
   */
  public static String of(ChangeGrid grid, int columns) {
    List<ChangeGrid.Cell> cells = grid.cells();
    int rows = Math.ceilDiv(cells.size(), columns);
    int width = columns * SIDE + 2 * MARGIN;
    int legend = rows * SIDE + 2 * MARGIN + LINE;
    int height = legend + (ChangeGrid.Age.values().length + 1) * LINE + MARGIN;
    var svg = new StringBuilder();
    svg.append(
        String.format(
            Locale.ROOT,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\""
                + " height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">%n",
            width,
            height,
            width,
            height));
    svg.append("<title>").append(escaped(grid.device())).append("</title>\n");
    svg.append("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
    for (int i = 0; i < cells.size(); i++) {
      cell(svg, cells.get(i), MARGIN + i % columns * SIDE, MARGIN + i / columns * SIDE);
    }
    text(svg, MARGIN, legend - LINE / 2, headline(grid));
    int y = legend;
    for (ChangeGrid.Age age : ChangeGrid.Age.values()) {
      y += LINE;
      rect(svg, MARGIN, y - SIDE, colour(age), 1, "");
      String bytes = HumanSize.of(grid.bytes(age));
      text(svg, MARGIN + 2 * SIDE, y, age.words() + ": " + bytes);
    }
    return svg.append("</svg>\n").toString();
  }

  private static String colour(ChangeGrid.Age age) {
    return switch (age) {
      case NEWEST -> "#c81e1e";
      case RECENT -> "#e8a317";
      case OLD -> "#2f6fc4";
      case OLDEST -> "#777777";
    };
  }

  private static String headline(ChangeGrid grid) {
    return grid.device()
        + ": "
        + HumanSize.of(grid.changedBytes())
        + " of "
        + HumanSize.of(grid.sizeBytes())
        + " changed; the stronger a cell, the more of it";
  }

  private static void cell(StringBuilder svg, ChangeGrid.Cell cell, int x, int y) {
    String where = HumanSize.of(cell.offset()) + ": " + HumanSize.of(cell.changed()) + " changed";
    if (cell.newest().isEmpty()) {
      rect(svg, x, y, EMPTY, 1, where);
    } else {
      ChangeGrid.Age age = ChangeGrid.Age.of(cell.newest().getAsInt());
      double part = Math.max(FAINTEST, Math.min(1.0, (double) cell.changed() / cell.length()));
      rect(svg, x, y, colour(age), part, where);
    }
  }

  private static void rect(
      StringBuilder svg, int x, int y, String colour, double opacity, String title) {
    svg.append(
        String.format(
            Locale.ROOT,
            "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\" fill-opacity=\"%.2f\"",
            x,
            y,
            SIDE - 1,
            SIDE - 1,
            colour,
            opacity));
    svg.append(title.isEmpty() ? "/>\n" : "><title>" + escaped(title) + "</title></rect>\n");
  }

  private static void text(StringBuilder svg, int x, int y, String text) {
    svg.append("<text x=\"").append(x).append("\" y=\"").append(y).append("\">");
    svg.append(escaped(text)).append("</text>\n");
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }
}
