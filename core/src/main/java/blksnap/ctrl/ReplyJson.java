package blksnap.ctrl;

import blksnap.ctrl.CtrlReply.Attached;
import blksnap.ctrl.CtrlReply.CbtBytes;
import blksnap.ctrl.CtrlReply.CbtRanges;
import blksnap.ctrl.CtrlReply.CbtState;
import blksnap.ctrl.CtrlReply.Created;
import blksnap.ctrl.CtrlReply.DeviceEntry;
import blksnap.ctrl.CtrlReply.DeviceList;
import blksnap.ctrl.CtrlReply.Done;
import blksnap.ctrl.CtrlReply.ImageEntry;
import blksnap.ctrl.CtrlReply.Images;
import blksnap.ctrl.CtrlReply.LogLines;
import blksnap.ctrl.CtrlReply.ModuleInfo;
import blksnap.ctrl.CtrlReply.ParamEntry;
import blksnap.ctrl.CtrlReply.Params;
import blksnap.ctrl.CtrlReply.Resized;
import blksnap.ctrl.CtrlReply.SnapshotEntry;
import blksnap.ctrl.CtrlReply.SnapshotEvent;
import blksnap.ctrl.CtrlReply.Snapshots;
import blksnap.ctrl.CtrlReply.Taken;
import blksnap.ctrl.CtrlReply.Tree;
import blksnap.ctrl.CtrlReply.Value;
import blksnap.ctrl.CtrlReply.VersionInfo;
import blksnap.error.BlkSnapException;
import blksnap.log.LogRing;
import blksnap.sector.ByteRange;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;

/**
 * Replies and their {@code result}. A result does not say what it is: the method that was asked
 * does.
 */
final class ReplyJson {
  private ReplyJson() {}

  static JsonObject of(CtrlReply reply) {
    return switch (reply) {
      case Done _ -> new JsonObject();
      case VersionInfo(String version) -> one("version", version);
      case Value(String value) -> one("value", value);
      case ModuleInfo info -> of(info);
      case Params(List<ParamEntry> parameters) -> params(parameters);
      case Attached(DeviceEntry device, List<String> warnings) -> {
        var object = new JsonObject();
        object.add("device", EntryJson.of(device));
        object.add("warnings", EntryJson.texts(warnings));
        yield object;
      }
      case DeviceList(List<DeviceEntry> devices) -> {
        var array = new JsonArray(devices.size());
        for (DeviceEntry device : devices) {
          array.add(EntryJson.of(device));
        }
        yield one("devices", array);
      }
      case CbtState state -> of(state);
      case CbtRanges ranges -> of(ranges);
      case CbtBytes(byte[] bytes, long blockCount) -> {
        var object = one("bytes_base64", Base64.getEncoder().encodeToString(bytes));
        object.addProperty("block_count", blockCount);
        yield object;
      }
      case Created(var id, String name, var taken) -> {
        var object = one("id", id.toString());
        object.addProperty("name", name);
        taken.ifPresent(t -> addTaken(object, t));
        yield object;
      }
      case Taken taken -> {
        var object = new JsonObject();
        addTaken(object, taken);
        yield object;
      }
      case Resized(String device, long oldSizeBytes, long sizeBytes) -> {
        var object = one("device", device);
        object.addProperty("old_size_bytes", oldSizeBytes);
        object.addProperty("size_bytes", sizeBytes);
        yield object;
      }
      case SnapshotEntry entry -> EntryJson.of(entry);
      case Snapshots(List<SnapshotEntry> snapshots) -> {
        var array = new JsonArray(snapshots.size());
        for (SnapshotEntry snapshot : snapshots) {
          array.add(EntryJson.of(snapshot));
        }
        yield one("snapshots", array);
      }
      case Images(List<ImageEntry> images) -> {
        var array = new JsonArray(images.size());
        for (ImageEntry image : images) {
          array.add(EntryJson.of(image));
        }
        yield one("images", array);
      }
      case SnapshotEvent(var event) -> EntryJson.of(event);
      case Tree(var node) -> TreeJson.of(node);
      case LogLines(List<LogRing.Line> lines) -> {
        var array = new JsonArray(lines.size());
        for (LogRing.Line line : lines) {
          array.add(EntryJson.of(line));
        }
        yield one("lines", array);
      }
    };
  }

  /**
   * What {@code request} was answered with. Fields that are not known are left alone: a newer
   * engine may send more.
   *
   * @throws BlkSnapException {@code EBADMSG}, with the field's name and value
   */
  static CtrlReply read(CtrlRequest request, JsonFields result) throws BlkSnapException {
    return switch (CtrlMethod.of(request)) {
      case UNLOAD,
          PARAM_SET,
          DETACH,
          CBT_MARK,
          SNAPSHOT_ADD,
          SNAPSHOT_APPEND_STORAGE,
          SNAPSHOT_DESTROY,
          ECHO ->
          new Done();
      case VERSION -> new VersionInfo(result.text("version"));
      case MODINFO -> moduleInfo(result);
      case PARAM_LIST, PARAM_GET -> new Params(params(result));
      case ATTACH ->
          new Attached(EntryJson.device(result.object("device")), result.texts("warnings"));
      case DEVICES -> devices(result);
      case CBT_INFO -> cbtState(result);
      case CBT_MAP -> cbtRanges(result);
      case CBT_RAW -> cbtBytes(result);
      case SNAPSHOT_CREATE ->
          new Created(
              EntryJson.uuid(result, "id"),
              result.text("name"),
              result.has("consistency") ? Optional.of(taken(result)) : Optional.empty());
      case SNAPSHOT_TAKE -> taken(result);
      case RESIZE ->
          new Resized(
              result.text("device"), result.count("old_size_bytes"), result.count("size_bytes"));
      case SNAPSHOT_LIST -> snapshots(result);
      case SNAPSHOT_INFO -> EntryJson.snapshot(result);
      case SNAPSHOT_IMAGES -> images(result);
      case SNAPSHOT_WAIT -> new SnapshotEvent(EntryJson.event(result));
      case STATUS -> new Tree(TreeJson.read(result));
      case CAT -> new Value(result.text("value"));
      case DMESG -> logLines(result);
    };
  }

  private static void addTaken(JsonObject object, Taken taken) {
    EntryJson.addConsistency(object, taken.consistency());
    object.add("warnings", EntryJson.texts(taken.warnings()));
  }

  private static Taken taken(JsonFields result) throws BlkSnapException {
    return new Taken(EntryJson.consistency(result), result.texts("warnings"));
  }

  private static JsonObject of(ModuleInfo info) {
    var object = new JsonObject();
    object.addProperty("name", info.name());
    object.addProperty("version", info.version());
    object.addProperty("license", info.license());
    object.addProperty("description", info.description());
    object.addProperty("initstate", info.initstate());
    object.addProperty("pid", info.pid());
    object.addProperty("run_directory", info.runDirectory());
    object.addProperty("state_directory", info.stateDirectory());
    object.add("parameters", params(info.parameters()).get("parameters"));
    return object;
  }

  private static ModuleInfo moduleInfo(JsonFields fields) throws BlkSnapException {
    return new ModuleInfo(
        fields.text("name"),
        fields.text("version"),
        fields.text("license"),
        fields.text("description"),
        fields.text("initstate"),
        fields.count("pid"),
        fields.text("run_directory"),
        fields.text("state_directory"),
        params(fields));
  }

  private static JsonObject params(List<ParamEntry> parameters) {
    var array = new JsonArray(parameters.size());
    for (ParamEntry parameter : parameters) {
      array.add(EntryJson.of(parameter));
    }
    return one("parameters", array);
  }

  private static List<ParamEntry> params(JsonFields fields) throws BlkSnapException {
    var parameters = new ArrayList<ParamEntry>();
    for (JsonFields parameter : fields.objects("parameters")) {
      parameters.add(EntryJson.param(parameter));
    }
    return parameters;
  }

  private static DeviceList devices(JsonFields fields) throws BlkSnapException {
    var devices = new ArrayList<DeviceEntry>();
    for (JsonFields device : fields.objects("devices")) {
      devices.add(EntryJson.device(device));
    }
    return new DeviceList(devices);
  }

  private static JsonObject of(CbtState state) {
    var object = new JsonObject();
    object.addProperty("device", state.device());
    object.addProperty("block_size", state.blockSize());
    object.addProperty("block_count", state.blockCount());
    object.addProperty("device_capacity", state.deviceCapacity());
    object.addProperty("generation_id", state.generationId().toString());
    object.addProperty("snap_number", state.snapNumber());
    object.addProperty("dirty_blocks", state.dirtyBlocks());
    return object;
  }

  private static CbtState cbtState(JsonFields fields) throws BlkSnapException {
    return new CbtState(
        fields.text("device"),
        fields.count("block_size"),
        fields.count("block_count"),
        fields.count("device_capacity"),
        EntryJson.uuid(fields, "generation_id"),
        (int) fields.whole("snap_number", 0, Integer.MAX_VALUE),
        fields.count("dirty_blocks"));
  }

  private static JsonObject of(CbtRanges ranges) {
    var array = new JsonArray(ranges.ranges().size());
    for (ByteRange range : ranges.ranges()) {
      array.add(EntryJson.of(range));
    }
    var object = one("ranges", array);
    if (ranges.next().isPresent()) {
      object.addProperty("next_offset", ranges.next().getAsLong());
    }
    return object;
  }

  private static CbtRanges cbtRanges(JsonFields fields) throws BlkSnapException {
    var ranges = new ArrayList<ByteRange>();
    for (JsonFields range : fields.objects("ranges")) {
      ranges.add(EntryJson.range(range));
    }
    return new CbtRanges(ranges, fields.optionalCount("next_offset"));
  }

  private static CbtBytes cbtBytes(JsonFields fields) throws BlkSnapException {
    String text = fields.text("bytes_base64");
    try {
      return new CbtBytes(Base64.getDecoder().decode(text), fields.count("block_count"));
    } catch (IllegalArgumentException _) {
      throw fields.wrong("bytes_base64", "base64");
    }
  }

  private static Snapshots snapshots(JsonFields fields) throws BlkSnapException {
    var snapshots = new ArrayList<SnapshotEntry>();
    for (JsonFields snapshot : fields.objects("snapshots")) {
      snapshots.add(EntryJson.snapshot(snapshot));
    }
    return new Snapshots(snapshots);
  }

  private static Images images(JsonFields fields) throws BlkSnapException {
    var images = new ArrayList<ImageEntry>();
    for (JsonFields image : fields.objects("images")) {
      images.add(EntryJson.image(image));
    }
    return new Images(images);
  }

  private static LogLines logLines(JsonFields fields) throws BlkSnapException {
    var lines = new ArrayList<LogRing.Line>();
    for (JsonFields line : fields.objects("lines")) {
      lines.add(EntryJson.line(line));
    }
    return new LogLines(lines);
  }

  private static JsonObject one(String name, String value) {
    var object = new JsonObject();
    object.addProperty(name, value);
    return object;
  }

  private static JsonObject one(String name, JsonArray value) {
    var object = new JsonObject();
    object.add(name, value);
    return object;
  }
}
