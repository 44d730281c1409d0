package blksnap.cli.live;

import blksnap.cli.output.HumanSize;
import blksnap.cli.output.Palette;
import blksnap.cli.output.TextTable;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;

/** Rows of {@code top} for people, and for programs. */
public final class TopText {
  private static final String NOTHING = "-";
  private static final double MIB = 1 << 20;
  private static final long MICROS_PER_MILLI = 1_000;
  private static final long MICROS_PER_SECOND = 1_000_000;
  private static final long SECONDS_PER_MINUTE = 60;
  private static final long SECONDS_PER_HOUR = 3_600;

  /** Storage that will be full sooner than this is shown in the colour of trouble. */
  private static final long ALARM_SECONDS = 600;

  private TopText() {}

  /** A table with a heading. */
  public static List<String> table(List<TopRow> rows, Palette palette) {
    var table =
        new TextTable()
            .left("NAME")
            .right("IOPS")
            .right("R MiB/s")
            .right("W MiB/s")
            .right("P50")
            .right("P99")
            .right("COPIED")
            .right("LEFT")
            .right("FULL IN");
    for (TopRow row : rows) {
      boolean alarm =
          row.fullInSeconds().isPresent() && row.fullInSeconds().getAsLong() < ALARM_SECONDS;
      table.row(
          List.of(
              TextTable.cell(row.name()),
              TextTable.cell(decimal(row.iops())),
              TextTable.cell(decimal(row.readBytes() / MIB)),
              TextTable.cell(decimal(row.writeBytes() / MIB)),
              TextTable.cell(time(row.p50Micros())),
              TextTable.cell(time(row.p99Micros())),
              TextTable.cell(Long.toString(row.copied())),
              TextTable.cell(size(row.left())),
              new TextTable.Cell(duration(row.fullInSeconds()), alarm)));
    }
    return table.lines(palette);
  }

  /** One row a line; rates in whole requests and bytes a second. What is not known is empty. */
  public static void plain(List<TopRow> rows, PrintWriter out) {
    for (TopRow row : rows) {
      out.println(
          String.join(
              "\t",
              blksnap.cli.output.Printable.of(row.name()),
              Long.toString(Math.round(row.iops())),
              Long.toString(Math.round(row.readBytes())),
              Long.toString(Math.round(row.writeBytes())),
              number(row.p50Micros()),
              number(row.p99Micros()),
              Long.toString(row.copied()),
              number(row.left()),
              number(row.fullInSeconds())));
    }
  }

  /** All rows as one object; what is not known has no member. */
  public static JsonObject json(List<TopRow> rows) {
    var array = new JsonArray();
    for (TopRow row : rows) {
      var object = new JsonObject();
      object.addProperty("name", row.name());
      object.addProperty("kind", row.image() ? "image" : "device");
      object.addProperty("iops", Math.round(row.iops()));
      object.addProperty("read_bytes_per_s", Math.round(row.readBytes()));
      object.addProperty("write_bytes_per_s", Math.round(row.writeBytes()));
      add(object, "p50_us", row.p50Micros());
      add(object, "p99_us", row.p99Micros());
      object.addProperty("blocks_copied", row.copied());
      add(object, "storage_left", row.left());
      add(object, "full_in_s", row.fullInSeconds());
      array.add(object);
    }
    var all = new JsonObject();
    all.add("rows", array);
    return all;
  }

  private static void add(JsonObject object, String name, OptionalLong value) {
    if (value.isPresent()) {
      object.addProperty(name, value.getAsLong());
    }
  }

  private static String number(OptionalLong value) {
    return value.isPresent() ? Long.toString(value.getAsLong()) : "";
  }

  /** One decimal below ten. */
  static String decimal(double value) {
    return value < 9.95 && value > 0
        ? String.format(Locale.ROOT, "%.1f", value)
        : Long.toString(Math.round(value));
  }

  private static String time(OptionalLong micros) {
    if (micros.isEmpty()) {
      return NOTHING;
    }
    long value = micros.getAsLong();
    if (value < MICROS_PER_MILLI) {
      return value + "us";
    }
    return value < MICROS_PER_SECOND
        ? decimal((double) value / MICROS_PER_MILLI) + "ms"
        : decimal((double) value / MICROS_PER_SECOND) + "s";
  }

  private static String size(OptionalLong bytes) {
    return bytes.isPresent() ? HumanSize.of(bytes.getAsLong()) : NOTHING;
  }

  /** For people: {@code 90 s}, {@code 12 min}, {@code 3 h}. */
  static String duration(OptionalLong seconds) {
    if (seconds.isEmpty()) {
      return NOTHING;
    }
    long value = seconds.getAsLong();
    if (value < 2 * SECONDS_PER_MINUTE) {
      return value + " s";
    }
    return value < 2 * SECONDS_PER_HOUR
        ? value / SECONDS_PER_MINUTE + " min"
        : value / SECONDS_PER_HOUR + " h";
  }
}
