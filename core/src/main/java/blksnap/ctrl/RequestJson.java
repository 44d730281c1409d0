package blksnap.ctrl;

import blksnap.ctrl.CtrlRequest.Attach;
import blksnap.ctrl.CtrlRequest.Cache;
import blksnap.ctrl.CtrlRequest.Cat;
import blksnap.ctrl.CtrlRequest.CbtInfo;
import blksnap.ctrl.CtrlRequest.CbtMap;
import blksnap.ctrl.CtrlRequest.CbtMark;
import blksnap.ctrl.CtrlRequest.CbtRaw;
import blksnap.ctrl.CtrlRequest.Detach;
import blksnap.ctrl.CtrlRequest.Devices;
import blksnap.ctrl.CtrlRequest.Dmesg;
import blksnap.ctrl.CtrlRequest.Durability;
import blksnap.ctrl.CtrlRequest.Echo;
import blksnap.ctrl.CtrlRequest.Hooks;
import blksnap.ctrl.CtrlRequest.ImageLimit;
import blksnap.ctrl.CtrlRequest.ModInfo;
import blksnap.ctrl.CtrlRequest.OnFull;
import blksnap.ctrl.CtrlRequest.ParamGet;
import blksnap.ctrl.CtrlRequest.ParamList;
import blksnap.ctrl.CtrlRequest.ParamSet;
import blksnap.ctrl.CtrlRequest.Resize;
import blksnap.ctrl.CtrlRequest.SnapshotAdd;
import blksnap.ctrl.CtrlRequest.SnapshotAppendStorage;
import blksnap.ctrl.CtrlRequest.SnapshotCreate;
import blksnap.ctrl.CtrlRequest.SnapshotDestroy;
import blksnap.ctrl.CtrlRequest.SnapshotImages;
import blksnap.ctrl.CtrlRequest.SnapshotInfo;
import blksnap.ctrl.CtrlRequest.SnapshotList;
import blksnap.ctrl.CtrlRequest.SnapshotTake;
import blksnap.ctrl.CtrlRequest.SnapshotWait;
import blksnap.ctrl.CtrlRequest.Status;
import blksnap.ctrl.CtrlRequest.Unload;
import blksnap.ctrl.CtrlRequest.Version;
import blksnap.error.BlkSnapException;
import blksnap.sector.SectorRange;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** Requests and their {@code method} and {@code params}. */
final class RequestJson {
  /** Every method there is, as {@code method} names them. */
  static final List<String> METHODS =
      List.of(
          "version",
          "modinfo",
          "unload",
          "param.list",
          "param.get",
          "param.set",
          "attach",
          "detach",
          "resize",
          "devices",
          "cbt.info",
          "cbt.map",
          "cbt.raw",
          "cbt.mark",
          "snapshot.create",
          "snapshot.add",
          "snapshot.append_storage",
          "snapshot.take",
          "snapshot.list",
          "snapshot.info",
          "snapshot.images",
          "snapshot.wait",
          "snapshot.destroy",
          "status",
          "cat",
          "echo",
          "dmesg");

  private RequestJson() {}

  /**
   * What is asked most often by commands that are started and end: known without a switch over
   * types, which Java takes longer to link than such a request lasts.
   */
  private static boolean isDevices(CtrlRequest request) {
    return request instanceof Devices;
  }

  static String method(CtrlRequest request) {
    if (isDevices(request)) {
      return "devices";
    }
    return switch (request) {
      case Version _ -> "version";
      case ModInfo _ -> "modinfo";
      case Unload _ -> "unload";
      case ParamList _ -> "param.list";
      case ParamGet _ -> "param.get";
      case ParamSet _ -> "param.set";
      case Attach _ -> "attach";
      case Detach _ -> "detach";
      case Resize _ -> "resize";
      case Devices _ -> "devices";
      case CbtInfo _ -> "cbt.info";
      case CbtMap _ -> "cbt.map";
      case CbtRaw _ -> "cbt.raw";
      case CbtMark _ -> "cbt.mark";
      case SnapshotCreate _ -> "snapshot.create";
      case SnapshotAdd _ -> "snapshot.add";
      case SnapshotAppendStorage _ -> "snapshot.append_storage";
      case SnapshotTake _ -> "snapshot.take";
      case SnapshotList _ -> "snapshot.list";
      case SnapshotInfo _ -> "snapshot.info";
      case SnapshotImages _ -> "snapshot.images";
      case SnapshotWait _ -> "snapshot.wait";
      case SnapshotDestroy _ -> "snapshot.destroy";
      case Status _ -> "status";
      case Cat _ -> "cat";
      case Echo _ -> "echo";
      case Dmesg _ -> "dmesg";
    };
  }

  static JsonObject params(CtrlRequest request) {
    var params = new JsonObject();
    if (isDevices(request)) {
      return params;
    }
    switch (request) {
      case Version _, ModInfo _, ParamList _, Devices _, SnapshotList _ -> {}
      case Unload(boolean force) -> params.addProperty("force", force);
      case ParamGet(String name) -> params.addProperty("name", name);
      case ParamSet(String name, String value) -> {
        params.addProperty("name", name);
        params.addProperty("value", value);
      }
      case Attach(String path, Optional<String> name, boolean readOnly, Cache cache) -> {
        params.addProperty("path", path);
        addPresent(params, "name", name);
        params.addProperty("read_only", readOnly);
        params.addProperty("cache", JsonFields.word(cache));
      }
      case Detach(String device) -> params.addProperty("device", device);
      case Resize(String device, OptionalLong sizeBytes, boolean force, boolean reconnect) -> {
        params.addProperty("device", device);
        if (sizeBytes.isPresent()) {
          params.addProperty("size_bytes", sizeBytes.getAsLong());
        }
        params.addProperty("force", force);
        params.addProperty("reconnect", reconnect);
      }
      case CbtInfo(String device) -> params.addProperty("device", device);
      case CbtMap(String device, Optional<String> since, Optional<String> until, long from) -> {
        params.addProperty("device", device);
        addPresent(params, "since", since);
        addPresent(params, "until", until);
        params.addProperty("from_offset", from);
      }
      case CbtRaw(String device, Optional<String> until, long fromBlock) -> {
        params.addProperty("device", device);
        addPresent(params, "until", until);
        params.addProperty("from_block", fromBlock);
      }
      case CbtMark(String device, List<SectorRange> ranges) -> {
        params.addProperty("device", device);
        params.add("ranges", sectors(ranges));
      }
      case SnapshotCreate create -> addCreate(params, create);
      case SnapshotAdd(String id, String device) -> {
        params.addProperty("id", id);
        params.addProperty("device", device);
      }
      case SnapshotAppendStorage(String id, String path, List<SectorRange> ranges) -> {
        params.addProperty("id", id);
        params.addProperty("path", path);
        params.add("ranges", sectors(ranges));
      }
      case SnapshotTake(String id, Hooks hooks) -> {
        params.addProperty("id", id);
        addHooks(params, hooks);
      }
      case SnapshotInfo(String id) -> params.addProperty("id", id);
      case SnapshotImages(String id) -> params.addProperty("id", id);
      case SnapshotWait(String id, long timeoutMillis) -> {
        params.addProperty("id", id);
        params.addProperty("timeout_ms", timeoutMillis);
      }
      case SnapshotDestroy(String id) -> params.addProperty("id", id);
      case Status(String path) -> params.addProperty("path", path);
      case Cat(String path) -> params.addProperty("path", path);
      case Echo(String path, String value) -> {
        params.addProperty("path", path);
        params.addProperty("value", value);
      }
      case Dmesg(long fromSequence, long waitMillis) -> {
        params.addProperty("from_sequence", fromSequence);
        params.addProperty("wait_ms", waitMillis);
      }
    }
    return params;
  }

  /**
   * The request, whose fields are all taken from {@code params}; whether there are more is for the
   * caller to ask.
   *
   * @throws BlkSnapException {@code EINVAL}, with the field's name and value
   * @throws IllegalArgumentException the method is not one of {@link #METHODS}
   */
  static CtrlRequest read(String method, JsonFields params) throws BlkSnapException {
    return switch (method) {
      case "version" -> new Version();
      case "modinfo" -> new ModInfo();
      case "unload" -> new Unload(params.flag("force"));
      case "param.list" -> new ParamList();
      case "param.get" -> new ParamGet(params.text("name"));
      case "param.set" -> new ParamSet(params.text("name"), params.text("value"));
      case "attach" ->
          new Attach(
              absolute(params, "path"),
              params.optionalText("name"),
              params.flag("read_only"),
              params.word("cache", Cache.values()));
      case "detach" -> new Detach(params.text("device"));
      case "resize" ->
          new Resize(
              params.text("device"),
              params.has("size_bytes")
                  ? OptionalLong.of(params.whole("size_bytes", 1, Long.MAX_VALUE))
                  : OptionalLong.empty(),
              params.flag("force"),
              params.flag("reconnect"));
      case "devices" -> new Devices();
      case "cbt.info" -> new CbtInfo(params.text("device"));
      case "cbt.map" ->
          new CbtMap(
              params.text("device"),
              params.optionalText("since"),
              params.optionalText("until"),
              params.count("from_offset"));
      case "cbt.raw" ->
          new CbtRaw(
              params.text("device"), params.optionalText("until"), params.count("from_block"));
      case "cbt.mark" -> new CbtMark(params.text("device"), sectors(params));
      case "snapshot.create" -> readCreate(params);
      case "snapshot.add" -> new SnapshotAdd(params.text("id"), params.text("device"));
      case "snapshot.append_storage" ->
          new SnapshotAppendStorage(params.text("id"), absolute(params, "path"), sectors(params));
      case "snapshot.take" -> new SnapshotTake(params.text("id"), hooks(params));
      case "snapshot.list" -> new SnapshotList();
      case "snapshot.info" -> new SnapshotInfo(params.text("id"));
      case "snapshot.images" -> new SnapshotImages(params.text("id"));
      case "snapshot.wait" -> new SnapshotWait(params.text("id"), params.count("timeout_ms"));
      case "snapshot.destroy" -> new SnapshotDestroy(params.text("id"));
      case "status" -> new Status(params.text("path"));
      case "cat" -> new Cat(params.text("path"));
      case "echo" -> new Echo(params.text("path"), params.text("value"));
      case "dmesg" -> new Dmesg(params.count("from_sequence"), params.count("wait_ms"));
      default -> throw new IllegalArgumentException("unknown method " + method);
    };
  }

  private static void addCreate(JsonObject params, SnapshotCreate create) {
    var devices = new JsonArray();
    for (String device : create.devices()) {
      devices.add(device);
    }
    params.add("devices", devices);
    if (!create.storage().isEmpty()) {
      params.addProperty("storage", create.storage());
    }
    if (create.limitBytes().isPresent()) {
      params.addProperty("limit_bytes", create.limitBytes().get());
    }
    addPresent(params, "name", create.name());
    params.addProperty("durability", JsonFields.word(create.durability()));
    params.add("on_full", onFull(create.onFull()));
    params.addProperty("take", create.take());
    addHooks(params, create.hooks());
    if (!create.imageLimit().equals(ImageLimit.NONE)) {
      var limit = new JsonObject();
      limit.addProperty("iops", create.imageLimit().requestsPerSecond());
      limit.addProperty("rate", create.imageLimit().bytesPerSecond());
      params.add("image_limit", limit);
    }
  }

  private static SnapshotCreate readCreate(JsonFields params) throws BlkSnapException {
    var create =
        new SnapshotCreate(
            params.texts("devices"),
            params.has("storage") ? absolute(params, "storage") : "",
            params.has("limit_bytes")
                ? Optional.of(params.whole("limit_bytes", 1, Long.MAX_VALUE))
                : Optional.empty(),
            params.optionalText("name"),
            params.word("durability", Durability.values()),
            onFull(params, "on_full"),
            params.flag("take"),
            hooks(params),
            imageLimit(params));
    if (!create.take() && params.has("hooks")) {
      throw params.wrong("hooks", "absent, as nothing is taken");
    }
    return create;
  }

  private static ImageLimit imageLimit(JsonFields params) throws BlkSnapException {
    if (!params.has("image_limit")) {
      return ImageLimit.NONE;
    }
    JsonFields object = params.object("image_limit");
    var limit = new ImageLimit(object.count("iops"), object.count("rate"));
    object.endOfRequest();
    return limit;
  }

  private static void addHooks(JsonObject params, Hooks hooks) {
    if (hooks.equals(Hooks.NONE)) {
      return;
    }
    var object = new JsonObject();
    var freeze = new JsonArray();
    hooks.freeze().forEach(freeze::add);
    object.add("freeze", freeze);
    addPresent(object, "pre", hooks.pre());
    addPresent(object, "post", hooks.post());
    object.addProperty("timeout_ms", hooks.timeoutMillis());
    object.addProperty("best_effort", hooks.bestEffort());
    params.add("hooks", object);
  }

  private static Hooks hooks(JsonFields params) throws BlkSnapException {
    if (!params.has("hooks")) {
      return Hooks.NONE;
    }
    JsonFields object = params.object("hooks");
    List<String> freeze = object.texts("freeze");
    for (String mountPoint : freeze) {
      if (!mountPoint.startsWith("/")) {
        throw object.wrong("freeze", "absolute paths");
      }
    }
    var hooks =
        new Hooks(
            freeze,
            object.optionalText("pre"),
            object.optionalText("post"),
            object.count("timeout_ms"),
            object.flag("best_effort"));
    object.endOfRequest();
    return hooks;
  }

  static JsonObject onFull(OnFull onFull) {
    var object = new JsonObject();
    object.addProperty("wait", onFull.waits());
    if (onFull.waitSeconds().isPresent()) {
      object.addProperty("wait_seconds", onFull.waitSeconds().get());
    }
    return object;
  }

  static OnFull onFull(JsonFields fields, String name) throws BlkSnapException {
    JsonFields object = fields.object(name);
    boolean wait = object.flag("wait");
    Optional<Integer> seconds = Optional.empty();
    if (object.has("wait_seconds")) {
      seconds = Optional.of((int) object.whole("wait_seconds", 1, Integer.MAX_VALUE));
      if (!wait) {
        throw object.wrong("wait_seconds goes with \"wait\":true only");
      }
    }
    object.endOfRequest();
    return new OnFull(wait, seconds);
  }

  private static JsonArray sectors(List<SectorRange> ranges) {
    var array = new JsonArray(ranges.size());
    for (SectorRange range : ranges) {
      var object = new JsonObject();
      object.addProperty("sector", range.first());
      object.addProperty("count", range.count());
      array.add(object);
    }
    return array;
  }

  private static List<SectorRange> sectors(JsonFields params) throws BlkSnapException {
    var ranges = new ArrayList<SectorRange>();
    for (JsonFields range : params.objects("ranges")) {
      long sector = range.count("sector");
      long count = range.whole("count", 1, Long.MAX_VALUE);
      range.endOfRequest();
      try {
        ranges.add(new SectorRange(sector, count));
      } catch (IllegalArgumentException e) {
        throw range.wrong(String.valueOf(e.getMessage()));
      }
    }
    return ranges;
  }

  private static String absolute(JsonFields params, String name) throws BlkSnapException {
    String path = params.text(name);
    if (!path.startsWith("/")) {
      throw params.wrong(name, "an absolute path");
    }
    return path;
  }

  private static void addPresent(JsonObject params, String name, Optional<String> value) {
    if (value.isPresent()) {
      params.addProperty(name, value.get());
    }
  }
}
