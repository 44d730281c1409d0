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
  private RequestJson() {}

  static JsonObject params(CtrlRequest request) {
    var params = new JsonObject();
    switch (CtrlMethod.of(request)) {
      case VERSION, MODINFO, PARAM_LIST, DEVICES, SNAPSHOT_LIST -> {}
      case UNLOAD -> params.addProperty("force", ((Unload) request).force());
      case PARAM_GET -> params.addProperty("name", ((ParamGet) request).name());
      case PARAM_SET -> {
        var set = (ParamSet) request;
        params.addProperty("name", set.name());
        params.addProperty("value", set.value());
      }
      case ATTACH -> {
        var attach = (Attach) request;
        params.addProperty("path", attach.path());
        addPresent(params, "name", attach.name());
        params.addProperty("read_only", attach.readOnly());
        params.addProperty("cache", JsonFields.word(attach.cache()));
      }
      case DETACH -> params.addProperty("device", ((Detach) request).device());
      case RESIZE -> {
        var resize = (Resize) request;
        params.addProperty("device", resize.device());
        if (resize.sizeBytes().isPresent()) {
          params.addProperty("size_bytes", resize.sizeBytes().getAsLong());
        }
        params.addProperty("force", resize.force());
        params.addProperty("reconnect", resize.reconnect());
      }
      case CBT_INFO -> params.addProperty("device", ((CbtInfo) request).device());
      case CBT_MAP -> {
        var map = (CbtMap) request;
        params.addProperty("device", map.device());
        addPresent(params, "since", map.since());
        addPresent(params, "until", map.until());
        params.addProperty("from_offset", map.fromOffset());
      }
      case CBT_RAW -> {
        var raw = (CbtRaw) request;
        params.addProperty("device", raw.device());
        addPresent(params, "until", raw.until());
        params.addProperty("from_block", raw.fromBlock());
      }
      case CBT_MARK -> {
        var mark = (CbtMark) request;
        params.addProperty("device", mark.device());
        params.add("ranges", sectors(mark.ranges()));
      }
      case SNAPSHOT_CREATE -> addCreate(params, (SnapshotCreate) request);
      case SNAPSHOT_ADD -> {
        var add = (SnapshotAdd) request;
        params.addProperty("id", add.id());
        params.addProperty("device", add.device());
      }
      case SNAPSHOT_APPEND_STORAGE -> {
        var append = (SnapshotAppendStorage) request;
        params.addProperty("id", append.id());
        params.addProperty("path", append.path());
        params.add("ranges", sectors(append.ranges()));
      }
      case SNAPSHOT_TAKE -> {
        var take = (SnapshotTake) request;
        params.addProperty("id", take.id());
        addHooks(params, take.hooks());
      }
      case SNAPSHOT_INFO -> params.addProperty("id", ((SnapshotInfo) request).id());
      case SNAPSHOT_IMAGES -> params.addProperty("id", ((SnapshotImages) request).id());
      case SNAPSHOT_WAIT -> {
        var wait = (SnapshotWait) request;
        params.addProperty("id", wait.id());
        params.addProperty("timeout_ms", wait.timeoutMillis());
      }
      case SNAPSHOT_DESTROY -> params.addProperty("id", ((SnapshotDestroy) request).id());
      case STATUS -> params.addProperty("path", ((Status) request).path());
      case CAT -> params.addProperty("path", ((Cat) request).path());
      case ECHO -> {
        var echo = (Echo) request;
        params.addProperty("path", echo.path());
        params.addProperty("value", echo.value());
      }
      case DMESG -> {
        var dmesg = (Dmesg) request;
        params.addProperty("from_sequence", dmesg.fromSequence());
        params.addProperty("wait_ms", dmesg.waitMillis());
      }
    }
    return params;
  }

  /**
   * The request, whose fields are all taken from {@code params}; whether there are more is for the
   * caller to ask.
   *
   * @throws BlkSnapException {@code EINVAL}, with the field's name and value
   */
  static CtrlRequest read(CtrlMethod method, JsonFields params) throws BlkSnapException {
    return switch (method) {
      case VERSION -> new Version();
      case MODINFO -> new ModInfo();
      case UNLOAD -> new Unload(params.flag("force"));
      case PARAM_LIST -> new ParamList();
      case PARAM_GET -> new ParamGet(params.text("name"));
      case PARAM_SET -> new ParamSet(params.text("name"), params.text("value"));
      case ATTACH ->
          new Attach(
              absolute(params, "path"),
              params.optionalText("name"),
              params.flag("read_only"),
              params.word("cache", Cache.values()));
      case DETACH -> new Detach(params.text("device"));
      case RESIZE ->
          new Resize(
              params.text("device"),
              params.has("size_bytes")
                  ? OptionalLong.of(params.whole("size_bytes", 1, Long.MAX_VALUE))
                  : OptionalLong.empty(),
              params.flag("force"),
              params.flag("reconnect"));
      case DEVICES -> new Devices();
      case CBT_INFO -> new CbtInfo(params.text("device"));
      case CBT_MAP ->
          new CbtMap(
              params.text("device"),
              params.optionalText("since"),
              params.optionalText("until"),
              params.count("from_offset"));
      case CBT_RAW ->
          new CbtRaw(
              params.text("device"), params.optionalText("until"), params.count("from_block"));
      case CBT_MARK -> new CbtMark(params.text("device"), sectors(params));
      case SNAPSHOT_CREATE -> readCreate(params);
      case SNAPSHOT_ADD -> new SnapshotAdd(params.text("id"), params.text("device"));
      case SNAPSHOT_APPEND_STORAGE ->
          new SnapshotAppendStorage(params.text("id"), absolute(params, "path"), sectors(params));
      case SNAPSHOT_TAKE -> new SnapshotTake(params.text("id"), hooks(params));
      case SNAPSHOT_LIST -> new SnapshotList();
      case SNAPSHOT_INFO -> new SnapshotInfo(params.text("id"));
      case SNAPSHOT_IMAGES -> new SnapshotImages(params.text("id"));
      case SNAPSHOT_WAIT -> new SnapshotWait(params.text("id"), params.count("timeout_ms"));
      case SNAPSHOT_DESTROY -> new SnapshotDestroy(params.text("id"));
      case STATUS -> new Status(params.text("path"));
      case CAT -> new Cat(params.text("path"));
      case ECHO -> new Echo(params.text("path"), params.text("value"));
      case DMESG -> new Dmesg(params.count("from_sequence"), params.count("wait_ms"));
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
