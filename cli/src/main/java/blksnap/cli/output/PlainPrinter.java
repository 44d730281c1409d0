package blksnap.cli.output;

import blksnap.ctrl.CtrlReply;
import blksnap.eventqueue.Event;
import blksnap.log.LogRing;
import blksnap.sector.ByteRange;
import blksnap.status.StatusNode;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * For scripts: one record a line, fields between tabs, no heading; sizes in bytes, what is missing
 * is empty.
 */
public final class PlainPrinter implements OutputPrinter {
  private final PrintWriter out;

  public PlainPrinter(PrintWriter out) {
    this.out = out;
  }

  /** What is asked most often comes first: Java takes longer to link a switch over types. */
  @Override
  public void print(CtrlReply reply) {
    if (reply instanceof CtrlReply.VersionInfo(String version)) {
      out.println(version);
    } else if (reply instanceof CtrlReply.DeviceList(List<CtrlReply.DeviceEntry> devices)) {
      devices.forEach(this::device);
    } else {
      printAny(reply);
    }
  }

  private void printAny(CtrlReply reply) {
    switch (reply) {
      case CtrlReply.Done() -> {}
      case CtrlReply.VersionInfo(String version) -> out.println(version);
      case CtrlReply.ModuleInfo info -> module(info);
      case CtrlReply.Params(List<CtrlReply.ParamEntry> parameters) ->
          parameters.forEach(entry -> fields(entry.name(), Long.toString(entry.value())));
      case CtrlReply.Attached attached -> fields(attached.device().uri());
      case CtrlReply.DeviceList(List<CtrlReply.DeviceEntry> devices) ->
          devices.forEach(this::device);
      case CtrlReply.CbtState state -> changeTracking(state);
      case CtrlReply.CbtRanges page -> page.ranges().forEach(this::range);
      case CtrlReply.CbtBytes page -> fields(Integer.toString(page.bytes().length));
      case CtrlReply.Created created -> fields(created.id().toString());
      case CtrlReply.Taken(CtrlReply.Consistency consistency, List<String> _) ->
          fields(consistency.word(), consistency.reason());
      case CtrlReply.Resized(String device, long before, long now) ->
          fields(device, Long.toString(before), Long.toString(now));
      case CtrlReply.SnapshotEntry snapshot -> snapshot(snapshot);
      case CtrlReply.Snapshots(List<CtrlReply.SnapshotEntry> snapshots) ->
          snapshots.forEach(this::snapshotLine);
      case CtrlReply.Images(List<CtrlReply.ImageEntry> images) -> images.forEach(this::image);
      case CtrlReply.SnapshotEvent event -> event(event.event().event());
      case CtrlReply.Tree(StatusNode node) -> tree("/" + node.name(), node);
      case CtrlReply.Value(String value) -> fields(value);
      case CtrlReply.LogLines(List<LogRing.Line> lines) -> lines.forEach(this::logLine);
    }
  }

  @Override
  public void parameter(CtrlReply.ParamEntry parameter) {
    out.println(parameter.value());
  }

  @Override
  public void tree(String path, StatusNode node) {
    switch (node) {
      case StatusNode.Directory directory -> {
        String above = path.equals("/") ? "" : path;
        directory.entries().forEach(entry -> tree(above + "/" + entry.name(), entry));
      }
      case StatusNode.Attribute attribute -> fields(path, attribute.value());
    }
  }

  @Override
  public void listing(StatusNode node) {
    switch (node) {
      case StatusNode.Directory directory ->
          directory.entries().forEach(entry -> fields(entry.name()));
      case StatusNode.Attribute attribute -> fields(attribute.name());
    }
  }

  @Override
  public void logLine(LogRing.Line line) {
    fields(LogText.seconds(line, 0), word(line.level()), line.text());
  }

  @Override
  public RangeStream ranges() {
    return new RangeStream() {
      @Override
      public void add(ByteRange range) {
        range(range);
      }

      @Override
      public void close() {}
    };
  }

  private void range(ByteRange range) {
    fields(Long.toString(range.offset()), Long.toString(range.length()));
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
    values.printTabbed(out);
  }

  private void device(CtrlReply.DeviceEntry device) {
    fields(device.name(), device.path(), Long.toString(device.sizeBytes()), device.uri());
  }

  private void changeTracking(CtrlReply.CbtState state) {
    new KeyValues()
        .add("device", state.device())
        .add("block_size", state.blockSize())
        .add("block_count", state.blockCount())
        .add("device_capacity", state.deviceCapacity())
        .add("generation_id", state.generationId().toString())
        .add("snap_number", state.snapNumber())
        .add("dirty_blocks", state.dirtyBlocks())
        .printTabbed(out);
  }

  private void snapshotLine(CtrlReply.SnapshotEntry snapshot) {
    fields(
        snapshot.id().toString(),
        snapshot.name(),
        snapshot.state(),
        String.join(
            ",", snapshot.devices().stream().map(CtrlReply.SnapshotDevice::device).toList()),
        snapshot.takenAt().map(Object::toString).orElse(""));
  }

  private void snapshot(CtrlReply.SnapshotEntry snapshot) {
    CtrlReply.Storage storage = snapshot.storage();
    Optional<CtrlReply.Consistency> consistency = snapshot.consistency();
    var values =
        new KeyValues()
            .add("id", snapshot.id().toString())
            .add("name", snapshot.name())
            .add("state", snapshot.state())
            .add("taken_at", snapshot.takenAt().map(Object::toString).orElse(""))
            .add("take_pause_us", text(snapshot.takePauseMicros()))
            .add("consistency", consistency.map(CtrlReply.Consistency::word).orElse(""))
            .add("consistency_reason", consistency.map(CtrlReply.Consistency::reason).orElse(""))
            .add("durability", word(snapshot.durability()))
            .add("on_full", OnFullText.of(snapshot.onFull()))
            .add("storage_filled", storage.filled())
            .add("storage_capacity", storage.capacity())
            .add("storage_limit", text(storage.limit()))
            .add("storage_free", storage.free())
            .add("storage_full_in_s", text(storage.fullInSeconds()))
            .add("storage_trouble", storage.trouble().orElse(""));
    for (CtrlReply.SnapshotDevice device : snapshot.devices()) {
      values.add("device", device.device());
      device.errno().ifPresent(errno -> values.add("corrupt", device.device() + " " + errno));
    }
    values.printTabbed(out);
  }

  private void image(CtrlReply.ImageEntry image) {
    fields(image.device(), image.image(), Long.toString(image.sizeBytes()), image.uri());
  }

  private void event(Event event) {
    switch (event) {
      case Event.LowFreeSpace(long sectors) -> fields(event.code(), Long.toString(sectors));
      case Event.NoSpace(long sectors) -> fields(event.code(), Long.toString(sectors));
      case Event.Corrupted(String device, var errno) -> fields(event.code(), device, errno.name());
      case Event.FullSoon(long seconds) -> fields(event.code(), Long.toString(seconds));
      case Event.StorageTrouble(String trouble) -> fields(event.code(), trouble);
      case Event.MapAtRisk(String device, var errno) -> fields(event.code(), device, errno.name());
    }
  }

  private void fields(String... fields) {
    for (int i = 0; i < fields.length; i++) {
      out.print(i == 0 ? "" : "\t");
      out.print(Printable.of(fields[i]));
    }
    out.println();
  }

  private static String text(OptionalLong number) {
    return number.isPresent() ? Long.toString(number.getAsLong()) : "";
  }

  private static String word(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }
}
