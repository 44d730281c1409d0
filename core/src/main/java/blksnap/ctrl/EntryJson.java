package blksnap.ctrl;

import blksnap.ctrl.CtrlReply.DeviceEntry;
import blksnap.ctrl.CtrlReply.ImageEntry;
import blksnap.ctrl.CtrlReply.ParamEntry;
import blksnap.ctrl.CtrlReply.SnapshotDevice;
import blksnap.ctrl.CtrlReply.SnapshotEntry;
import blksnap.ctrl.CtrlReply.Storage;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.eventqueue.Event;
import blksnap.eventqueue.EventQueue;
import blksnap.log.LogRing;
import blksnap.sector.ByteRange;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/** The records that stand within replies; each is written and read side by side. */
final class EntryJson {
  private EntryJson() {}

  static JsonObject of(ParamEntry entry) {
    var object = new JsonObject();
    object.addProperty("name", entry.name());
    object.addProperty("value", entry.value());
    object.addProperty("default_value", entry.defaultValue());
    object.addProperty("minimum", entry.minimum());
    object.addProperty("maximum", entry.maximum());
    object.addProperty("description", entry.description());
    object.addProperty("takes_effect", entry.takesEffect());
    return object;
  }

  static ParamEntry param(JsonFields fields) throws BlkSnapException {
    return new ParamEntry(
        fields.text("name"),
        integer(fields, "value"),
        integer(fields, "default_value"),
        integer(fields, "minimum"),
        integer(fields, "maximum"),
        fields.text("description"),
        fields.text("takes_effect"));
  }

  static JsonObject of(DeviceEntry entry) {
    var object = new JsonObject();
    object.addProperty("name", entry.name());
    object.addProperty("path", entry.path());
    object.addProperty("size_bytes", entry.sizeBytes());
    object.addProperty("read_only", entry.readOnly());
    object.addProperty("cache", JsonFields.word(entry.cache()));
    object.addProperty("uri", entry.uri());
    object.add("clients", texts(entry.clients()));
    object.add("snapshots", texts(entry.snapshots()));
    return object;
  }

  static DeviceEntry device(JsonFields fields) throws BlkSnapException {
    return new DeviceEntry(
        fields.text("name"),
        fields.text("path"),
        fields.count("size_bytes"),
        fields.flag("read_only"),
        fields.word("cache", CtrlRequest.Cache.values()),
        fields.text("uri"),
        fields.texts("clients"),
        fields.texts("snapshots"));
  }

  static JsonObject of(ByteRange range) {
    var object = new JsonObject();
    object.addProperty("offset", range.offset());
    object.addProperty("length", range.length());
    return object;
  }

  static ByteRange range(JsonFields fields) throws BlkSnapException {
    long offset = fields.count("offset");
    long length = fields.whole("length", 1, Long.MAX_VALUE);
    if (offset > Long.MAX_VALUE - length) {
      throw fields.wrong("it ends beyond 2^63 bytes");
    }
    return new ByteRange(offset, length);
  }

  static JsonObject of(SnapshotEntry entry) {
    var object = new JsonObject();
    object.addProperty("id", entry.id().toString());
    object.addProperty("name", entry.name());
    object.addProperty("state", entry.state());
    var devices = new JsonArray(entry.devices().size());
    for (SnapshotDevice device : entry.devices()) {
      devices.add(of(device));
    }
    object.add("devices", devices);
    if (entry.takenAt().isPresent()) {
      object.addProperty("taken_at", entry.takenAt().get().toString());
    }
    object.addProperty("durability", JsonFields.word(entry.durability()));
    object.add("on_full", RequestJson.onFull(entry.onFull()));
    if (entry.takePauseMicros().isPresent()) {
      object.addProperty("take_pause_us", entry.takePauseMicros().getAsLong());
    }
    if (entry.consistency().isPresent()) {
      addConsistency(object, entry.consistency().get());
    }
    object.add("storage", of(entry.storage()));
    return object;
  }

  static SnapshotEntry snapshot(JsonFields fields) throws BlkSnapException {
    var devices = new ArrayList<SnapshotDevice>();
    for (JsonFields device : fields.objects("devices")) {
      devices.add(snapshotDevice(device));
    }
    return new SnapshotEntry(
        uuid(fields, "id"),
        fields.text("name"),
        fields.text("state"),
        devices,
        takenAt(fields),
        fields.word("durability", CtrlRequest.Durability.values()),
        RequestJson.onFull(fields, "on_full"),
        fields.optionalCount("take_pause_us"),
        fields.has("consistency") ? Optional.of(consistency(fields)) : Optional.empty(),
        storage(fields.object("storage")));
  }

  static void addConsistency(JsonObject object, CtrlReply.Consistency consistency) {
    object.addProperty("consistency", consistency.word());
    object.addProperty("consistency_reason", consistency.reason());
  }

  static CtrlReply.Consistency consistency(JsonFields fields) throws BlkSnapException {
    return new CtrlReply.Consistency(fields.text("consistency"), fields.text("consistency_reason"));
  }

  private static JsonObject of(SnapshotDevice device) {
    var object = new JsonObject();
    object.addProperty("device", device.device());
    if (device.errno().isPresent()) {
      object.addProperty("errno", device.errno().get().name());
    }
    return object;
  }

  private static SnapshotDevice snapshotDevice(JsonFields fields) throws BlkSnapException {
    return new SnapshotDevice(
        fields.text("device"),
        fields.has("errno") ? Optional.of(errno(fields.text("errno"))) : Optional.empty());
  }

  private static Optional<Instant> takenAt(JsonFields fields) throws BlkSnapException {
    if (!fields.has("taken_at")) {
      return Optional.empty();
    }
    try {
      return Optional.of(Instant.parse(fields.text("taken_at")));
    } catch (DateTimeParseException _) {
      throw fields.wrong("taken_at", "a time such as 2026-01-31T12:00:00Z");
    }
  }

  private static JsonObject of(Storage storage) {
    var object = new JsonObject();
    object.addProperty("capacity", storage.capacity());
    object.addProperty("filled", storage.filled());
    if (storage.limit().isPresent()) {
      object.addProperty("limit", storage.limit().getAsLong());
    }
    object.addProperty("free", storage.free());
    if (storage.fullInSeconds().isPresent()) {
      object.addProperty("full_in_s", storage.fullInSeconds().getAsLong());
    }
    if (storage.trouble().isPresent()) {
      object.addProperty("trouble", storage.trouble().get());
    }
    return object;
  }

  private static Storage storage(JsonFields fields) throws BlkSnapException {
    return new Storage(
        fields.count("capacity"),
        fields.count("filled"),
        fields.optionalCount("limit"),
        fields.count("free"),
        fields.optionalCount("full_in_s"),
        fields.optionalText("trouble"));
  }

  static JsonObject of(ImageEntry entry) {
    var object = new JsonObject();
    object.addProperty("device", entry.device());
    object.addProperty("image", entry.image());
    object.addProperty("size_bytes", entry.sizeBytes());
    object.addProperty("uri", entry.uri());
    return object;
  }

  static ImageEntry image(JsonFields fields) throws BlkSnapException {
    return new ImageEntry(
        fields.text("device"),
        fields.text("image"),
        fields.count("size_bytes"),
        fields.text("uri"));
  }

  static JsonObject of(EventQueue.Stamped stamped) {
    var object = new JsonObject();
    object.addProperty("time_ns", stamped.timeNanos());
    object.addProperty("event", stamped.event().code());
    switch (stamped.event()) {
      case Event.LowFreeSpace(long sectors) -> object.addProperty("requested_sectors", sectors);
      case Event.NoSpace(long sectors) -> object.addProperty("requested_sectors", sectors);
      case Event.Corrupted(String device, Errno errno) -> {
        object.addProperty("device", device);
        object.addProperty("errno", errno.name());
      }
      case Event.FullSoon(long seconds) -> object.addProperty("full_in_s", seconds);
      case Event.StorageTrouble(String trouble) -> object.addProperty("trouble", trouble);
      case Event.MapAtRisk(String device, Errno errno) -> {
        object.addProperty("device", device);
        object.addProperty("errno", errno.name());
      }
    }
    return object;
  }

  static EventQueue.Stamped event(JsonFields fields) throws BlkSnapException {
    long timeNanos = integer(fields, "time_ns");
    Event event =
        switch (fields.text("event")) {
          case "low_free_space" -> new Event.LowFreeSpace(fields.count("requested_sectors"));
          case "no_space" -> new Event.NoSpace(fields.count("requested_sectors"));
          case "corrupted" ->
              new Event.Corrupted(fields.text("device"), errno(fields.text("errno")));
          case "full_soon" -> new Event.FullSoon(fields.count("full_in_s"));
          case "storage_trouble" -> new Event.StorageTrouble(fields.text("trouble"));
          case "map_at_risk" ->
              new Event.MapAtRisk(fields.text("device"), errno(fields.text("errno")));
          default -> throw fields.wrong("event", "an event of a snapshot");
        };
    return new EventQueue.Stamped(timeNanos, event);
  }

  static JsonObject of(LogRing.Line line) {
    var object = new JsonObject();
    object.addProperty("sequence", line.sequence());
    object.addProperty("since_load_us", line.sinceLoadMicros());
    object.addProperty("level", JsonFields.word(line.level()));
    object.addProperty("text", line.text());
    return object;
  }

  static LogRing.Line line(JsonFields fields) throws BlkSnapException {
    return new LogRing.Line(
        fields.count("sequence"),
        fields.count("since_load_us"),
        fields.word("level", LogRing.Level.values()),
        fields.text("text"));
  }

  static JsonArray texts(List<String> texts) {
    var array = new JsonArray(texts.size());
    for (String text : texts) {
      array.add(text);
    }
    return array;
  }

  static UUID uuid(JsonFields fields, String name) throws BlkSnapException {
    String text = fields.text(name);
    try {
      UUID id = UUID.fromString(text);
      if (id.toString().equalsIgnoreCase(text)) { // fromString also takes short forms
        return id;
      }
    } catch (IllegalArgumentException _) {
      // The same complaint as for a short form.
    }
    throw fields.wrong(name, "a UUID");
  }

  /** The error of that name; {@code EIO} for one that only a newer engine knows. */
  static Errno errno(String name) {
    for (Errno errno : Errno.values()) {
      if (errno.name().equals(name)) {
        return errno;
      }
    }
    return Errno.EIO;
  }

  private static long integer(JsonFields fields, String name) throws BlkSnapException {
    return fields.whole(name, Long.MIN_VALUE, Long.MAX_VALUE);
  }
}
