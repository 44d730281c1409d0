package blksnap.cli.output;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/** Rows under a heading, columns two blanks apart, no blanks at the end of a line. */
public final class TextTable {
  private static final String GAP = "  ";

  /** Which side of a column its texts stand at. */
  enum Align {
    LEFT,
    RIGHT
  }

  /**
   * @param alarm printed in the colour of trouble
   */
  public record Cell(String text, boolean alarm) {
    public Cell {
      text = Printable.of(text);
    }
  }

  private record Column(String title, Align align) {}

  private final List<Column> columns = new ArrayList<>();
  private final List<List<Cell>> rows = new ArrayList<>();

  public TextTable left(String title) {
    columns.add(new Column(title, Align.LEFT));
    return this;
  }

  public TextTable right(String title) {
    columns.add(new Column(title, Align.RIGHT));
    return this;
  }

  /** One that is not alarming. */
  public static Cell cell(String text) {
    return new Cell(text, false);
  }

  void row(String... texts) {
    var cells = new ArrayList<Cell>();
    for (String text : texts) {
      cells.add(new Cell(text, false));
    }
    row(cells);
  }

  public void row(List<Cell> cells) {
    if (cells.size() != columns.size()) {
      throw new IllegalArgumentException(
          cells.size() + " cells for " + columns.size() + " columns");
    }
    rows.add(List.copyOf(cells));
  }

  void print(PrintWriter out, Palette palette) {
    lines(palette).forEach(out::println);
  }

  /** The heading and the rows. */
  public List<String> lines(Palette palette) {
    var lines = new ArrayList<String>();
    int[] widths = widths();
    var heading = new StringBuilder();
    for (int i = 0; i < columns.size(); i++) {
      Column column = columns.get(i);
      append(heading, i, column.title(), palette.bold(column.title()), widths);
    }
    lines.add(heading.toString());
    for (List<Cell> row : rows) {
      var line = new StringBuilder();
      for (int i = 0; i < row.size(); i++) {
        Cell cell = row.get(i);
        append(
            line, i, cell.text(), cell.alarm() ? palette.alarm(cell.text()) : cell.text(), widths);
      }
      lines.add(line.toString().stripTrailing());
    }
    return lines;
  }

  private int[] widths() {
    int[] widths = new int[columns.size()];
    for (int i = 0; i < widths.length; i++) {
      widths[i] = columns.get(i).title().length();
      for (List<Cell> row : rows) {
        widths[i] = Math.max(widths[i], width(row.get(i).text()));
      }
    }
    return widths;
  }

  private void append(StringBuilder line, int index, String text, String painted, int[] widths) {
    String pad = " ".repeat(widths[index] - width(text));
    boolean last = index == columns.size() - 1;
    line.append(index == 0 ? "" : GAP);
    if (columns.get(index).align() == Align.RIGHT) {
      line.append(pad).append(painted);
    } else {
      line.append(painted).append(last ? "" : pad);
    }
  }

  private static int width(String text) {
    return text.codePointCount(0, text.length());
  }
}
