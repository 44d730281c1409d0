package blksnap.engine;

import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Supplier;

/**
 * Turns what a client calls a device or a snapshot into its whole name, when that is the start of
 * one only. A whole name always means itself, whatever else begins with it. What nothing begins
 * with is left as it is, for whoever looks it up to refuse.
 *
 * <p>A request that throws something away must not hit the neighbour of what is gone already: there
 * a number is not cut, so {@code vm1} is no start of {@code vm10}.
 */
final class Names {
  /** Most candidates that a refusal names. */
  private static final int MAX_NAMED = 8;

  /** What a snapshot can be called. */
  record SnapshotName(UUID id, String name) {}

  private final Supplier<List<String>> devices;
  private final Supplier<List<SnapshotName>> snapshots;

  /**
   * @param devices the names of all devices, in the order in which a refusal names them
   * @param snapshots those of all snapshots, likewise
   */
  Names(Supplier<List<String>> devices, Supplier<List<SnapshotName>> snapshots) {
    this.devices = devices;
    this.snapshots = snapshots;
  }

  /**
   * The same request with whole names.
   *
   * @throws BlkSnapException {@code EINVAL} when several names begin with the one given
   */
  CtrlRequest whole(CtrlRequest request) throws BlkSnapException {
    return switch (request) {
      case CtrlRequest.Detach(var name) -> new CtrlRequest.Detach(device(name, false));
      case CtrlRequest.Resize(var name, var size, var force, var reconnect) ->
          new CtrlRequest.Resize(device(name, false), size, force, reconnect);
      case CtrlRequest.CbtInfo(var name) -> new CtrlRequest.CbtInfo(device(name, true));
      case CtrlRequest.CbtMap(var name, var since, var until, var from) ->
          new CtrlRequest.CbtMap(device(name, true), since(since), snapshot(until), from);
      case CtrlRequest.CbtRaw(var name, var until, var from) ->
          new CtrlRequest.CbtRaw(device(name, true), snapshot(until), from);
      case CtrlRequest.CbtMark(var name, var ranges) ->
          new CtrlRequest.CbtMark(device(name, true), ranges);
      case CtrlRequest.SnapshotCreate create -> create(create);
      case CtrlRequest.SnapshotAdd(var id, var name) ->
          new CtrlRequest.SnapshotAdd(snapshot(id, true), device(name, true));
      case CtrlRequest.SnapshotAppendStorage(var id, var path, var ranges) ->
          new CtrlRequest.SnapshotAppendStorage(snapshot(id, true), path, ranges);
      case CtrlRequest.SnapshotTake(var id, var hooks) ->
          new CtrlRequest.SnapshotTake(snapshot(id, true), hooks);
      case CtrlRequest.SnapshotInfo(var id) -> new CtrlRequest.SnapshotInfo(snapshot(id, true));
      case CtrlRequest.SnapshotImages(var id) -> new CtrlRequest.SnapshotImages(snapshot(id, true));
      case CtrlRequest.SnapshotWait(var id, var timeout) ->
          new CtrlRequest.SnapshotWait(snapshot(id, true), timeout);
      case CtrlRequest.SnapshotDestroy(var id) ->
          new CtrlRequest.SnapshotDestroy(snapshot(id, false));
      case CtrlRequest.Version _,
          CtrlRequest.ModInfo _,
          CtrlRequest.Unload _,
          CtrlRequest.ParamList _,
          CtrlRequest.ParamGet _,
          CtrlRequest.ParamSet _,
          CtrlRequest.Attach _,
          CtrlRequest.Devices _,
          CtrlRequest.SnapshotList _,
          CtrlRequest.Status _,
          CtrlRequest.Cat _,
          CtrlRequest.Echo _,
          CtrlRequest.Dmesg _ ->
          request;
    };
  }

  private CtrlRequest.SnapshotCreate create(CtrlRequest.SnapshotCreate request)
      throws BlkSnapException {
    List<String> whole = new ArrayList<>();
    for (String name : request.devices()) {
      whole.add(device(name, true));
    }
    return new CtrlRequest.SnapshotCreate(
        whole,
        request.storage(),
        request.limitBytes(),
        request.name(),
        request.durability(),
        request.onFull(),
        request.take(),
        request.hooks(),
        request.imageLimit());
  }

  private String device(String start, boolean mayCutNumber) throws BlkSnapException {
    List<String> all = devices.get();
    if (all.contains(start)) {
      return start;
    }
    List<String> found =
        all.stream().filter(name -> isStart(start, name, mayCutNumber)).distinct().toList();
    return only("devices", start, found);
  }

  private String snapshot(String start, boolean mayCutNumber) throws BlkSnapException {
    List<String> found = new ArrayList<>();
    for (SnapshotName snapshot : snapshots.get()) {
      String id = snapshot.id().toString();
      if (snapshot.name().equals(start) || id.equals(start)) {
        return start;
      }
      if (isStart(start, id, true) || isStart(start, snapshot.name(), mayCutNumber)) {
        found.add(snapshot.name());
      }
    }
    return only("snapshots", start, found);
  }

  private Optional<String> snapshot(Optional<String> start) throws BlkSnapException {
    return start.isPresent() ? Optional.of(snapshot(start.get(), true)) : start;
  }

  /** A number is the number of a take, not the start of a UUID. */
  private Optional<String> since(Optional<String> start) throws BlkSnapException {
    boolean number = start.isPresent() && start.get().chars().allMatch(Names::isDigit);
    return number ? start : snapshot(start);
  }

  private static boolean isStart(String start, String name, boolean mayCutNumber) {
    if (start.isEmpty() || !name.startsWith(start)) {
      return false;
    }
    boolean cut =
        start.length() < name.length()
            && isDigit(start.charAt(start.length() - 1))
            && isDigit(name.charAt(start.length()));
    return mayCutNumber || !cut;
  }

  private static boolean isDigit(int c) {
    return c >= '0' && c <= '9';
  }

  private static String only(String kind, String start, List<String> found)
      throws BlkSnapException {
    if (found.size() <= 1) {
      return found.isEmpty() ? start : found.getFirst();
    }
    String named = String.join(", ", found.subList(0, Math.min(MAX_NAMED, found.size())));
    int more = found.size() - MAX_NAMED;
    throw new BlkSnapException(
        Errno.EINVAL,
        "'"
            + start
            + "' is the start of several "
            + kind
            + ": "
            + named
            + (more > 0 ? " and " + more + " more" : ""));
  }
}
