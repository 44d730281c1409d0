package blksnap.cli.backup;

import blksnap.backup.BackupStore;
import blksnap.backup.DevicePoints;
import blksnap.backup.Manifest;
import blksnap.backup.Prune;
import blksnap.backup.Restore;
import blksnap.backup.Verification;
import blksnap.cli.command.CommandContext;
import blksnap.cli.output.Failure;
import blksnap.cli.output.HumanSize;
import blksnap.cli.output.OutputFormat;
import blksnap.cli.output.Printable;
import blksnap.cli.output.TextTable;
import blksnap.error.BlkSnapException;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Prints what the commands on backups did or found, in each of the three forms: sentences and
 * tables for people, fields between tabs for scripts, one object of JSON for programs.
 */
final class BackupOutput {
  private static final double MILLIS_PER_SECOND = 1000;

  private final CommandContext context;
  private final OutputFormat format;
  private final PrintWriter out;

  BackupOutput(CommandContext context) {
    this.context = context;
    this.format = context.format();
    this.out = context.out();
  }

  // backup

  void made(BackupRun.Made made) {
    switch (format) {
      case TABLE -> made.points().forEach(point -> out.println(sentence(point)));
      case PLAIN ->
          made.points()
              .forEach(point ->
                  fields(
                      path(point),
                      word(point.kind()),
                      number(point.readBytes()),
                      number(point.changedBytes()),
                      number(stored(point))));
      case JSON -> out.println(json(made));
    }
    if (format != OutputFormat.JSON) {
      made.warnings().forEach(this::warn);
    }
  }

  private static String sentence(Manifest point) {
    String how =
        switch (point.looked()) {
          case MAP -> "increment by the change map";
          case CONTENT -> "increment by content";
          case ALL -> "full";
        };
    return String.format(
        Locale.ROOT,
        "%s: %s, %s read, %s changed, %s stored in %.1f s",
        path(point),
        how,
        HumanSize.of(point.readBytes()),
        HumanSize.of(point.changedBytes()),
        HumanSize.of(stored(point)),
        point.durationMillis() / MILLIS_PER_SECOND);
  }

  private void warn(String warning) {
    String line = Failure.PREFIX + "warning: " + Printable.of(warning);
    context.err().println(context.errPalette().warning(line));
  }

  private static JsonObject json(BackupRun.Made made) {
    var object = new JsonObject();
    object.addProperty("run", made.run().toString());
    var points = new JsonArray();
    made.points().forEach(point -> points.add(json(point)));
    object.add("points", points);
    var warnings = new JsonArray();
    made.warnings().forEach(warnings::add);
    object.add("warnings", warnings);
    return object;
  }

  static JsonObject json(Manifest point) {
    var object = new JsonObject();
    object.addProperty("device", point.device());
    object.addProperty("point", point.name());
    object.addProperty("path", point.path());
    object.addProperty("id", point.id().toString());
    object.addProperty("run", point.run().toString());
    object.addProperty("kind", word(point.kind()));
    object.addProperty("format", word(point.format()));
    object.addProperty("compression", word(point.compression()));
    object.addProperty("looked_at", word(point.looked()));
    object.addProperty("taken_at", point.takenAt().toString());
    object.addProperty("duration_ms", point.durationMillis());
    object.addProperty("consistency", point.consistency());
    object.addProperty("size", point.sizeBytes());
    object.addProperty("read", point.readBytes());
    object.addProperty("changed", point.changedBytes());
    object.addProperty("stored", stored(point));
    object.addProperty("file_bytes", point.files().getFirst().bytes());
    point.files().getFirst().parent().ifPresent(parent -> object.addProperty("parent", parent));
    return object;
  }

  // backups

  /** Lists the points of all devices. */
  void list(BackupStore store) throws IOException {
    var table = new TextTable().left("POINT").left("KIND").right("SIZE").right("CHANGED");
    table.right("STORED").right("TIME").left("VERIFIED");
    var points = new JsonArray();
    var damaged = new JsonArray();
    for (String device : store.devices()) {
      DevicePoints found = DevicePoints.load(store, device);
      for (Manifest point : found.all()) {
        row(table, points, point, Verification.last(store, point));
      }
      for (Map.Entry<String, BlkSnapException> wrong : new TreeMap<>(found.damaged()).entrySet()) {
        damagedRow(table, damaged, device + "/" + wrong.getKey(), wrong.getValue());
      }
    }
    if (format == OutputFormat.TABLE) {
      table.lines(context.outPalette()).forEach(out::println);
    } else if (format == OutputFormat.JSON) {
      var object = new JsonObject();
      object.add("points", points);
      object.add("damaged", damaged);
      out.println(object);
    }
  }

  private void row(
      TextTable table, JsonArray points, Manifest point, Optional<Verification.Result> verified) {
    boolean bad = verified.isPresent() && verified.get().damage().isPresent();
    String when = verified.map(result -> result.at().toString().substring(0, 10)).orElse("-");
    switch (format) {
      case TABLE ->
          table.row(
              List.of(
                  TextTable.cell(path(point)),
                  TextTable.cell(word(point.kind())),
                  TextTable.cell(HumanSize.of(point.sizeBytes())),
                  TextTable.cell(HumanSize.of(point.changedBytes())),
                  TextTable.cell(HumanSize.of(stored(point))),
                  TextTable.cell(
                      String.format(
                          Locale.ROOT, "%.1fs", point.durationMillis() / MILLIS_PER_SECOND)),
                  new TextTable.Cell(bad ? "damaged" : when, bad)));
      case PLAIN ->
          fields(
              path(point),
              word(point.kind()),
              number(point.sizeBytes()),
              number(point.changedBytes()),
              number(stored(point)),
              number(point.durationMillis()),
              bad ? "damaged" : verified.map(result -> result.at().toString()).orElse(""));
      case JSON -> {
        JsonObject object = json(point);
        verified.ifPresent(result -> {
          object.addProperty("verified_at", result.at().toString());
          object.addProperty("good", result.damage().isEmpty());
          result.damage().ifPresent(damage -> object.addProperty("damage", damage));
        });
        points.add(object);
      }
    }
  }

  private void damagedRow(TextTable table, JsonArray damaged, String path, BlkSnapException wrong) {
    switch (format) {
      case TABLE -> {
        List<TextTable.Cell> cells = new ArrayList<>();
        cells.add(TextTable.cell(path));
        cells.add(new TextTable.Cell("damaged", true));
        for (int i = 0; i < 4; i++) {
          cells.add(TextTable.cell("-"));
        }
        cells.add(new TextTable.Cell("damaged", true));
        table.row(cells);
      }
      case PLAIN -> fields(path, "damaged", "", "", "", "", "damaged");
      case JSON -> {
        var object = new JsonObject();
        object.addProperty("point", path);
        object.addProperty("damage", wrong.sentence());
        damaged.add(object);
      }
    }
  }

  // verify, restore, prune

  /** One line for each point that was verified. */
  void verified(Manifest point, Optional<String> damage) {
    switch (format) {
      case TABLE ->
          out.println(
              damage.isEmpty()
                  ? path(point) + ": good"
                  : context.outPalette().alarm(path(point) + ": " + Printable.of(damage.get())));
      case PLAIN -> fields(path(point), damage.isEmpty() ? "good" : "damaged", damage.orElse(""));
      case JSON -> {
        var object = new JsonObject();
        object.addProperty("point", path(point));
        object.addProperty("good", damage.isEmpty());
        damage.ifPresent(text -> object.addProperty("damage", text));
        out.println(object);
      }
    }
  }

  void restored(Manifest point, String target, Restore.Done done) {
    switch (format) {
      case TABLE ->
          out.println(
              path(point)
                  + " restored to "
                  + Printable.of(target)
                  + ": "
                  + HumanSize.of(done.writtenBytes())
                  + " of "
                  + HumanSize.of(done.sizeBytes())
                  + " written"
                  + (done.resumedAt() > 0
                      ? ", gone on with at " + HumanSize.of(done.resumedAt())
                      : ""));
      case PLAIN ->
          fields(path(point), target, number(done.sizeBytes()), number(done.writtenBytes()));
      case JSON -> {
        var object = new JsonObject();
        object.addProperty("point", path(point));
        object.addProperty("target", target);
        object.addProperty("size", done.sizeBytes());
        object.addProperty("read", done.readBytes());
        object.addProperty("written", done.writtenBytes());
        object.addProperty("resumed_at", done.resumedAt());
        out.println(object);
      }
    }
  }

  void pruned(Prune.Pruned pruned, boolean only) {
    switch (format) {
      case TABLE -> {
        String would = only ? "would be " : "";
        pruned.removed().forEach(point -> out.println(path(point) + ": " + would + "removed"));
        pruned
            .merged()
            .forEach(
                point -> out.println(path(point) + ": " + would + "merged with what was below it"));
        out.println(pruned.device() + ": " + pruned.kept().size() + " kept");
      }
      case PLAIN -> {
        pruned.kept().forEach(point -> fields(path(point), "kept"));
        pruned.removed().forEach(point -> fields(path(point), "removed"));
      }
      case JSON -> {
        var object = new JsonObject();
        object.addProperty("device", pruned.device());
        object.addProperty("dry_run", only);
        object.add("kept", names(pruned.kept()));
        object.add("removed", names(pruned.removed()));
        object.add("merged", names(pruned.merged()));
        out.println(object);
      }
    }
  }

  private static JsonArray names(List<Manifest> points) {
    var names = new JsonArray();
    points.forEach(point -> names.add(point.name()));
    return names;
  }

  private void fields(String... values) {
    var line = new ArrayList<String>();
    for (String value : values) {
      line.add(Printable.of(value));
    }
    out.println(String.join("\t", line));
  }

  private static String path(Manifest point) {
    return point.device() + "/" + point.name();
  }

  private static long stored(Manifest point) {
    return point.files().getFirst().storedBytes();
  }

  private static String number(long value) {
    return Long.toString(value);
  }

  private static String word(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }
}
