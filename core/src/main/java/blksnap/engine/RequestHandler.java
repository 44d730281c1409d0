package blksnap.engine;

import blksnap.ctrl.CtrlHandler;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.ctrl.CtrlWatcher;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import blksnap.param.Parameter;
import blksnap.tracker.TrackerTable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Answers every control request; what concerns snapshots it hands to {@link SnapshotRequests}. */
final class RequestHandler implements CtrlHandler {
  /** Most log lines in one answer. */
  private static final int MAX_LOG_LINES = 1_000;

  /** Longest wait for one answer; a client that wants to wait longer asks again. */
  static final long MAX_WAIT_MILLIS = 24L * 60 * 60 * 1_000;

  /** Makes the engine go, or refuses. */
  interface Unloader {
    void unload(boolean force) throws BlkSnapException, InterruptedException;
  }

  private final EngineParts parts;
  private final Unloader unloader;
  private final Names names;

  RequestHandler(EngineParts parts, Unloader unloader) {
    this.parts = parts;
    this.unloader = unloader;
    this.names = new Names(this::deviceNames, this::snapshotNames);
  }

  private List<String> deviceNames() {
    return parts.trackers().all().stream().map(TrackerTable.Attached::name).toList();
  }

  private List<Names.SnapshotName> snapshotNames() {
    return parts.snapshots().all().stream()
        .map(snapshot -> new Names.SnapshotName(snapshot.id(), snapshot.name()))
        .toList();
  }

  @Override
  public CtrlReply handle(CtrlRequest request) throws IOException, InterruptedException {
    return handle(request, CtrlWatcher.PATIENT);
  }

  @Override
  public CtrlReply handle(CtrlRequest request, CtrlWatcher watcher)
      throws IOException, InterruptedException {
    if (parts.initState() != InitState.LIVE && !(request instanceof CtrlRequest.Dmesg)) {
      throw new BlkSnapException(
          Errno.ESHUTDOWN, "the engine is " + parts.initState().text() + ", not live");
    }
    try {
      return answer(names.whole(request), watcher);
    } catch (BlkSnapException e) {
      throw e;
    } catch (IOException e) { // of the state directory, which knows no errno
      throw new BlkSnapException(Errno.EIO, String.valueOf(e), e);
    }
  }

  private CtrlReply answer(CtrlRequest request, CtrlWatcher watcher)
      throws IOException, InterruptedException {
    var cbt = new CbtQueries(parts.trackers(), parts.snapshots());
    var snapshots = new SnapshotRequests(parts);
    return switch (request) {
      case CtrlRequest.Version() -> new CtrlReply.VersionInfo(Version.TEXT);
      case CtrlRequest.ModInfo() -> modInfo();
      case CtrlRequest.Unload(var force) -> {
        unloader.unload(force);
        yield new CtrlReply.Done();
      }
      case CtrlRequest.ParamList() -> new CtrlReply.Params(entries());
      case CtrlRequest.ParamGet(var name) ->
          new CtrlReply.Params(List.of(entry(Parameter.named(name))));
      case CtrlRequest.ParamSet(var name, var value) -> {
        parts.setParameter(Parameter.named(name), value);
        yield new CtrlReply.Done();
      }
      case CtrlRequest.Attach attach -> attach(attach);
      case CtrlRequest.Detach(var device) -> {
        detach(device);
        yield new CtrlReply.Done();
      }
      case CtrlRequest.Resize resize -> resize(resize, watcher);
      case CtrlRequest.Devices() ->
          new CtrlReply.DeviceList(parts.trackers().all().stream().map(this::entry).toList());
      case CtrlRequest.CbtInfo(var device) -> cbt.info(device);
      case CtrlRequest.CbtMap map -> cbt.map(map);
      case CtrlRequest.CbtRaw raw -> cbt.raw(raw);
      case CtrlRequest.CbtMark mark -> {
        cbt.mark(mark);
        yield new CtrlReply.Done();
      }
      case CtrlRequest.SnapshotCreate create -> snapshots.create(create, watcher);
      case CtrlRequest.SnapshotAdd(var id, var device) -> snapshots.add(id, device);
      case CtrlRequest.SnapshotAppendStorage append -> snapshots.append(append);
      case CtrlRequest.SnapshotTake(var id, var hooks) -> snapshots.take(id, hooks, watcher);
      case CtrlRequest.SnapshotList() -> snapshots.list();
      case CtrlRequest.SnapshotInfo(var id) -> snapshots.info(id);
      case CtrlRequest.SnapshotImages(var id) -> snapshots.images(id);
      case CtrlRequest.SnapshotWait(var id, var timeoutMillis) ->
          snapshots.await(id, timeoutMillis);
      case CtrlRequest.SnapshotDestroy(var id) -> snapshots.destroy(id, watcher);
      case CtrlRequest.Status(var path) -> new CtrlReply.Tree(parts.tree().snapshot(path));
      case CtrlRequest.Cat(var path) -> new CtrlReply.Value(parts.tree().read(path));
      case CtrlRequest.Echo(var path, var value) -> {
        parts.tree().write(path, value);
        yield new CtrlReply.Done();
      }
      case CtrlRequest.Dmesg(var from, var waitMillis) -> dmesg(from, waitMillis);
    };
  }

  private CtrlReply.ModuleInfo modInfo() {
    return new CtrlReply.ModuleInfo(
        Version.NAME,
        Version.TEXT,
        Version.LICENSE,
        Version.DESCRIPTION,
        parts.initState().text(),
        ProcessHandle.current().pid(),
        parts.config().runDirectory().toString(),
        parts.config().stateDirectory().toString(),
        entries());
  }

  private List<CtrlReply.ParamEntry> entries() {
    List<CtrlReply.ParamEntry> entries = new ArrayList<>();
    for (Parameter parameter : Parameter.values()) {
      entries.add(entry(parameter));
    }
    return entries;
  }

  private CtrlReply.ParamEntry entry(Parameter parameter) {
    return new CtrlReply.ParamEntry(
        parameter.key(),
        parts.parameters().get(parameter),
        parameter.defaultValue(),
        parameter.minimum(),
        parameter.maximum(),
        parameter.description(),
        parameter.takesEffect());
  }

  private CtrlReply.Attached attach(CtrlRequest.Attach request) throws IOException {
    TrackerTable.Attached device =
        parts
            .trackers()
            .attach(
                absolute(request.path()),
                request.name(),
                request.readOnly(),
                request.cache() == CtrlRequest.Cache.DIRECT);
    return new CtrlReply.Attached(entry(device), device.warnings());
  }

  /** The engine's working directory means nothing to a client. */
  static Path absolute(String path) throws BlkSnapException {
    if (path.isEmpty() || path.charAt(0) != '/' || path.indexOf('\0') >= 0) {
      throw new BlkSnapException(Errno.EINVAL, "path '" + path + "' is not absolute");
    }
    return Path.of(path).normalize();
  }

  private CtrlReply.DeviceEntry entry(TrackerTable.Attached attached) {
    String name = attached.name();
    return new CtrlReply.DeviceEntry(
        name,
        attached.path(),
        attached.device().sizeBytes(),
        attached.device().readOnly(),
        attached.direct() ? CtrlRequest.Cache.DIRECT : CtrlRequest.Cache.WRITEBACK,
        Uris.of(name, parts.config().nbdSocket()),
        parts.exports().clients(name),
        parts.snapshots().holding(name).stream().map(s -> s.name()).toList());
  }

  private void detach(String device) throws IOException, InterruptedException {
    parts.trackers().find(device);
    parts.exports().awaitUnused(device::equals);
    parts
        .snapshots()
        .whileNotHeld(
            device,
            () -> parts.exports().whileUnused(device, () -> parts.trackers().detach(device)));
  }

  private CtrlReply.Resized resize(CtrlRequest.Resize request, CtrlWatcher watcher)
      throws IOException, InterruptedException {
    String device = request.device();
    TrackerTable.Resized sizes =
        parts
            .trackers()
            .resize(
                device,
                request.sizeBytes(),
                request.force(),
                WatchedCourse.of(watcher, "the resize of " + device));
    if (request.reconnect()) {
      parts.nbd().disconnect(device);
    }
    return new CtrlReply.Resized(device, sizes.oldBytes(), sizes.newBytes());
  }

  private CtrlReply.LogLines dmesg(long from, long waitMillis)
      throws IOException, InterruptedException {
    if (from < 0 || waitMillis < 0 || waitMillis > MAX_WAIT_MILLIS) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "line "
              + from
              + " and a wait of "
              + waitMillis
              + " ms: neither may be negative, nor the wait over "
              + MAX_WAIT_MILLIS);
    }
    List<LogRing.Line> lines =
        waitMillis == 0
            ? parts.log().since(from, MAX_LOG_LINES)
            : parts.log().await(from, MAX_LOG_LINES, waitMillis);
    return new CtrlReply.LogLines(lines);
  }
}
