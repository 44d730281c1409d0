package blksnap.cli.output;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/** Named values, one a line: aligned behind a colon for people, behind a tab for scripts. */
final class KeyValues {
  private record Entry(String key, String value, boolean alarm) {}

  private final List<Entry> entries = new ArrayList<>();

  KeyValues add(String key, String value) {
    entries.add(new Entry(key, Printable.of(value), false));
    return this;
  }

  KeyValues add(String key, long value) {
    return add(key, Long.toString(value));
  }

  /** A value that tells of trouble. */
  KeyValues alarm(String key, String value) {
    entries.add(new Entry(key, Printable.of(value), true));
    return this;
  }

  void printAligned(PrintWriter out, Palette palette) {
    int width = 0;
    for (Entry entry : entries) {
      width = Math.max(width, entry.key().length() + 1);
    }
    for (Entry entry : entries) {
      String label = entry.key() + ":";
      String value = entry.alarm() ? palette.alarm(entry.value()) : entry.value();
      String gap = " ".repeat(width - label.length() + 2);
      out.println((palette.bold(label) + gap + value).stripTrailing());
    }
  }

  void printTabbed(PrintWriter out) {
    for (Entry entry : entries) {
      out.println(entry.key() + "\t" + entry.value());
    }
  }
}
