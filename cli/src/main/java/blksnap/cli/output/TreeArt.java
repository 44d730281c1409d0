package blksnap.cli.output;

import blksnap.status.StatusNode;
import java.io.PrintWriter;
import java.util.List;

/**
 * Draws a part of the status tree with lines, in Unicode or ASCII; values of one directory are
 * aligned.
 */
final class TreeArt {
  private final PrintWriter out;
  private final Palette palette;
  private final String branch;
  private final String lastBranch;
  private final String bar;

  TreeArt(PrintWriter out, Palette palette, boolean unicode) {
    this.out = out;
    this.palette = palette;
    branch = unicode ? "├── " : "|-- ";
    lastBranch = unicode ? "└── " : "`-- ";
    bar = unicode ? "│   " : "|   ";
  }

  /**
   * @param path stands above a directory
   */
  void draw(String path, StatusNode node) {
    switch (node) {
      case StatusNode.Directory directory -> {
        out.println(palette.directory(Printable.of(path)));
        drawEntries(directory.entries(), "");
      }
      case StatusNode.Attribute attribute ->
          out.println(line(attribute, attribute.name().length()));
    }
  }

  private void drawEntries(List<StatusNode> entries, String indent) {
    int width = 0;
    for (StatusNode entry : entries) {
      if (entry instanceof StatusNode.Attribute) {
        width = Math.max(width, entry.name().length());
      }
    }
    for (int i = 0; i < entries.size(); i++) {
      boolean last = i == entries.size() - 1;
      String edge = indent + (last ? lastBranch : branch);
      switch (entries.get(i)) {
        case StatusNode.Directory directory -> {
          out.println(edge + palette.directory(Printable.of(directory.name())));
          drawEntries(directory.entries(), indent + (last ? "    " : bar));
        }
        case StatusNode.Attribute attribute -> out.println(edge + line(attribute, width));
      }
    }
  }

  private static String line(StatusNode.Attribute attribute, int width) {
    String name = Printable.of(attribute.name());
    String pad = " ".repeat(Math.max(0, width - name.length()));
    return (name + pad + "  " + Printable.of(attribute.value())).stripTrailing();
  }
}
