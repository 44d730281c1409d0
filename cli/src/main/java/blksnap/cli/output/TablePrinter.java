package blksnap.cli.output;

import blksnap.ctrl.CtrlReply;
import blksnap.eventqueue.Event;
import blksnap.log.LogRing;
import blksnap.sector.ByteRange;
import blksnap.sector.SectorRange;
import blksnap.status.StatusNode;
import java.io.PrintWriter;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;

/** For people: aligned columns, sizes in units, trees drawn with lines. Times are UTC. */
public final class TablePrinter implements OutputPrinter {
  /** Wide enough for 2^63, so that a map can be printed before its end is known. */
  private static final int OFFSET_WIDTH = 19;

  private static final int LENGTH_WIDTH = 8;

  private static final String NOTHING = "-";
  private static final long SECONDS_PER_MINUTE = 60;
  private static final long SECONDS_PER_HOUR = 3_600;

  private final PrintWriter out;
  private final Palette palette;
  private final boolean unicode;

  /**
   * @param unicode whether trees may be drawn with more than ASCII
   */
  public TablePrinter(PrintWriter out, Palette palette, boolean unicode) {
    this.out = out;
    this.palette = palette;
    this.unicode = unicode;
  }

  /** What is asked most often comes first: Java takes longer to link a switch over types. */
  @Override
  public void print(CtrlReply reply) {
    if (reply instanceof CtrlReply.VersionInfo(String version)) {
      out.println(version);
    } else if (reply instanceof CtrlReply.DeviceList(List<CtrlReply.DeviceEntry> devices)) {
      devices(devices);
    } else {
      printAny(reply);
    }
  }

  private void printAny(CtrlReply reply) {
    switch (reply) {
      case CtrlReply.Done() -> {}
      case CtrlReply.VersionInfo(String version) -> out.println(version);
      case CtrlReply.ModuleInfo info -> module(info);
      case CtrlReply.Params(List<CtrlReply.ParamEntry> parameters) -> parameters(parameters);
      case CtrlReply.Attached attached -> out.println(Printable.of(attached.device().uri()));
      case CtrlReply.DeviceList(List<CtrlReply.DeviceEntry> devices) -> devices(devices);
      case CtrlReply.CbtState state -> changeTracking(state);
      case CtrlReply.CbtRanges page -> {
        try (RangeStream stream = ranges()) {
          page.ranges().forEach(stream::add);
        }
      }
      case CtrlReply.CbtBytes page -> out.println(page.bytes().length + " bytes of the map");
      case CtrlReply.Created created -> out.println(created.id());
      case CtrlReply.Taken(CtrlReply.Consistency consistency, List<String> _) ->
          out.println(text(consistency));
      case CtrlReply.Resized(String device, long before, long now) ->
          out.println(device + ": " + exactSize(before) + " -> " + exactSize(now));
      case CtrlReply.SnapshotEntry snapshot -> snapshot(snapshot);
      case CtrlReply.Snapshots(List<CtrlReply.SnapshotEntry> snapshots) -> snapshots(snapshots);
      case CtrlReply.Images(List<CtrlReply.ImageEntry> images) -> images(images);
      case CtrlReply.SnapshotEvent event -> out.println(event(event.event().event()));
      case CtrlReply.Tree(StatusNode node) -> tree("/" + node.name(), node);
      case CtrlReply.Value(String value) -> out.println(Printable.of(value));
      case CtrlReply.LogLines(List<LogRing.Line> lines) -> lines.forEach(this::logLine);
    }
  }

  @Override
  public void parameter(CtrlReply.ParamEntry parameter) {
    out.println(parameter.value());
  }

  @Override
  public void tree(String path, StatusNode node) {
    new TreeArt(out, palette, unicode).draw(path, node);
  }

  @Override
  public void listing(StatusNode node) {
    switch (node) {
      case StatusNode.Directory directory -> {
        for (StatusNode entry : directory.entries()) {
          String name = Printable.of(entry.name());
          boolean inner = entry instanceof StatusNode.Directory;
          out.println(inner ? palette.directory(name) + "/" : name);
        }
      }
      case StatusNode.Attribute attribute -> out.println(Printable.of(attribute.name()));
    }
  }

  @Override
  public void logLine(LogRing.Line line) {
    String text = LogText.stamped(line);
    out.println(
        switch (line.level()) {
          case ERROR -> palette.alarm(text);
          case WARNING -> palette.warning(text);
          case INFO, DEBUG -> text;
        });
  }

  @Override
  public RangeStream ranges() {
    rangeLine(palette.bold("OFFSET"), "OFFSET".length(), palette.bold("LENGTH"), "LENGTH".length());
    return new RangeStream() {
      @Override
      public void add(ByteRange range) {
        String offset = Long.toString(range.offset());
        String length = HumanSize.of(range.length());
        rangeLine(offset, offset.length(), length, length.length());
      }

      @Override
      public void close() {}
    };
  }

  private void rangeLine(String offset, int offsetWidth, String length, int lengthWidth) {
    String offsetPad = " ".repeat(OFFSET_WIDTH - offsetWidth);
    String lengthPad = " ".repeat(Math.max(0, LENGTH_WIDTH - lengthWidth));
    out.println(offsetPad + offset + "  " + lengthPad + length);
  }

  private void module(CtrlReply.ModuleInfo info) {
    var values =
        new KeyValues()
            .add("name", info.name())
            .add("version", info.version())
            .add("license", info.license())
            .add("description", info.description())
            .add("initstate", info.initstate())
            .add("pid", info.pid())
            .add("run_dir", info.runDirectory())
            .add("state_dir", info.stateDirectory());
    for (CtrlReply.ParamEntry parameter : info.parameters()) {
      values.add("parm", parameter.name() + ": " + parameter.description());
    }
    values.printAligned(out, palette);
  }

  private void parameters(List<CtrlReply.ParamEntry> parameters) {
    var table = new TextTable().left("NAME").right("VALUE").right("DEFAULT").right("MINIMUM");
    table.right("MAXIMUM").left("TAKES EFFECT");
    for (CtrlReply.ParamEntry entry : parameters) {
      table.row(
          entry.name(),
          Long.toString(entry.value()),
          Long.toString(entry.defaultValue()),
          Long.toString(entry.minimum()),
          Long.toString(entry.maximum()),
          entry.takesEffect());
    }
    table.print(out, palette);
  }

  private void devices(List<CtrlReply.DeviceEntry> devices) {
    var table = new TextTable().left("NAME").right("SIZE").left("MODE").left("CACHE");
    table.right("CLIENTS").left("SNAPSHOTS").left("PATH");
    for (CtrlReply.DeviceEntry device : devices) {
      table.row(
          device.name(),
          HumanSize.of(device.sizeBytes()),
          device.readOnly() ? "ro" : "rw",
          word(device.cache()),
          Integer.toString(device.clients().size()),
          orNothing(String.join(",", device.snapshots())),
          device.path());
    }
    table.print(out, palette);
  }

  private void changeTracking(CtrlReply.CbtState state) {
    new KeyValues()
        .add("device", state.device())
        .add("size", exactSize(state.deviceCapacity()))
        .add("block size", exactSize(state.blockSize()))
        .add("blocks", state.blockCount())
        .add("dirty blocks", state.dirtyBlocks())
        .add("generation", state.generationId().toString())
        .add("snapshot number", state.snapNumber())
        .printAligned(out, palette);
  }

  private void snapshots(List<CtrlReply.SnapshotEntry> snapshots) {
    var table = new TextTable().left("ID").left("NAME").left("STATE").left("DEVICES");
    table.left("TAKEN").right("USED").right("LIMIT");
    for (CtrlReply.SnapshotEntry snapshot : snapshots) {
      var devices = new ArrayList<String>();
      boolean alarm = false;
      for (CtrlReply.SnapshotDevice device : snapshot.devices()) {
        devices.add(device.device() + device.errno().map(errno -> " (" + errno + ")").orElse(""));
        alarm |= device.errno().isPresent();
      }
      table.row(
          List.of(
              new TextTable.Cell(snapshot.id().toString(), false),
              new TextTable.Cell(nameOf(snapshot), false),
              new TextTable.Cell(snapshot.state(), false),
              new TextTable.Cell(orNothing(String.join(", ", devices)), alarm),
              new TextTable.Cell(takenAt(snapshot), false),
              new TextTable.Cell(HumanSize.of(snapshot.storage().filled()), false),
              new TextTable.Cell(size(snapshot.storage().limit()), false)));
    }
    table.print(out, palette);
  }

  private void snapshot(CtrlReply.SnapshotEntry snapshot) {
    CtrlReply.Storage storage = snapshot.storage();
    var values =
        new KeyValues()
            .add("id", snapshot.id().toString())
            .add("name", nameOf(snapshot))
            .add("state", snapshot.state())
            .add("taken", takenAt(snapshot));
    if (snapshot.takePauseMicros().isPresent()) {
      values.add("take pause", snapshot.takePauseMicros().getAsLong() + " us");
    }
    snapshot.consistency().ifPresent(value -> values.add("consistency", text(value)));
    values
        .add("durability", word(snapshot.durability()))
        .add("on full", OnFullText.of(snapshot.onFull()))
        .add("storage used", exactSize(storage.filled()))
        .add("storage capacity", exactSize(storage.capacity()))
        .add(
            "storage limit",
            storage.limit().isPresent() ? exactSize(storage.limit().getAsLong()) : NOTHING)
        .add("storage free", exactSize(storage.free()));
    if (storage.fullInSeconds().isPresent()) {
      values.add("storage full in", duration(storage.fullInSeconds().getAsLong()));
    }
    storage.trouble().ifPresent(trouble -> values.alarm("storage", trouble));
    for (CtrlReply.SnapshotDevice device : snapshot.devices()) {
      device
          .errno()
          .ifPresentOrElse(
              errno ->
                  values.alarm(
                      "device",
                      device.device() + " is corrupt: " + errno.meaning() + " (" + errno + ")"),
              () -> values.add("device", device.device()));
    }
    values.printAligned(out, palette);
  }

  private void images(List<CtrlReply.ImageEntry> images) {
    var table = new TextTable().left("DEVICE").left("IMAGE").right("SIZE").left("URI");
    for (CtrlReply.ImageEntry image : images) {
      table.row(image.device(), image.image(), HumanSize.of(image.sizeBytes()), image.uri());
    }
    table.print(out, palette);
  }

  private String event(Event event) {
    return switch (event) {
      case Event.LowFreeSpace(long sectors) ->
          event.code()
              + ": diff storage is running low, "
              + sectorsSize(sectors)
              + " more is wanted";
      case Event.NoSpace(long sectors) ->
          event.code() + ": diff storage is full, " + sectorsSize(sectors) + " more is needed";
      case Event.Corrupted(String device, var errno) ->
          palette.alarm(
              event.code()
                  + ": the image of "
                  + Printable.of(device)
                  + " is lost: "
                  + errno.meaning()
                  + " ("
                  + errno
                  + ")");
      case Event.FullSoon(long seconds) ->
          event.code() + ": at the present rate diff storage is full in " + seconds + " seconds";
      case Event.StorageTrouble(String trouble) ->
          palette.alarm(event.code() + ": " + Printable.of(trouble));
      case Event.MapAtRisk(String device, var errno) ->
          palette.alarm(
              event.code()
                  + ": changes of "
                  + Printable.of(device)
                  + " cannot be noted safely: "
                  + errno.meaning()
                  + " ("
                  + errno
                  + ")");
    };
  }

  private static String nameOf(CtrlReply.SnapshotEntry snapshot) {
    return snapshot.name().equals(snapshot.id().toString()) ? NOTHING : snapshot.name();
  }

  private static String takenAt(CtrlReply.SnapshotEntry snapshot) {
    return snapshot.takenAt().map(TablePrinter::time).orElse(NOTHING);
  }

  private static String time(Instant instant) {
    return instant.truncatedTo(ChronoUnit.SECONDS).toString();
  }

  private static String text(CtrlReply.Consistency consistency) {
    return consistency.word() + " (" + Printable.of(consistency.reason()) + ")";
  }

  private static String duration(long seconds) {
    if (seconds < 2 * SECONDS_PER_MINUTE) {
      return seconds + " s";
    }
    return seconds < 2 * SECONDS_PER_HOUR
        ? seconds / SECONDS_PER_MINUTE + " min"
        : seconds / SECONDS_PER_HOUR + " h";
  }

  private static String size(OptionalLong bytes) {
    return bytes.isPresent() ? HumanSize.of(bytes.getAsLong()) : NOTHING;
  }

  private static String exactSize(long bytes) {
    String human = HumanSize.of(bytes);
    return human.equals(bytes + "B") ? human : human + " (" + bytes + " bytes)";
  }

  private static String sectorsSize(long sectors) {
    return HumanSize.of(sectors * SectorRange.SECTOR_BYTES);
  }

  private static String orNothing(String text) {
    return text.isEmpty() ? NOTHING : text;
  }

  private static String word(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }
}
