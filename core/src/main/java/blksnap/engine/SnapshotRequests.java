package blksnap.engine;

import blksnap.ctrl.CtrlProgress;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.ctrl.CtrlWatcher;
import blksnap.diffarea.FullPolicy;
import blksnap.diffstorage.DiffStorage;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.eventqueue.EventQueue;
import blksnap.snapshot.Consistency;
import blksnap.snapshot.Durability;
import blksnap.snapshot.ImageLimit;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotConfig;
import blksnap.snapshot.SnapshotPart;
import blksnap.snapshot.SnapshotTable;
import blksnap.snapshot.TakeHooks;
import blksnap.snapshot.TakeSurroundings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** Answers the requests about snapshots. */
final class SnapshotRequests {
  private final EngineParts parts;
  private final SnapshotTable table;

  SnapshotRequests(EngineParts parts) {
    this.parts = parts;
    this.table = parts.snapshots();
  }

  CtrlReply create(CtrlRequest.SnapshotCreate request, CtrlWatcher watcher) throws IOException {
    Optional<Long> limit = request.limitBytes();
    if (limit.isPresent() && limit.get() <= 0) {
      throw new BlkSnapException(
          Errno.EINVAL, "a limit of " + limit.get() + " bytes is not positive");
    }
    var config =
        new SnapshotConfig(
            request.name().orElse(""),
            durability(request.durability()),
            policy(request.onFull()),
            imageLimit(request.imageLimit()));
    Snapshot snapshot = create(request, config);
    if (!request.take()) {
      return new CtrlReply.Created(snapshot.id(), snapshot.name());
    }
    boolean taken = false;
    try {
      CtrlReply.Taken reply = take(snapshot, request.hooks(), watcher);
      taken = true;
      return new CtrlReply.Created(snapshot.id(), snapshot.name(), Optional.of(reply));
    } finally {
      if (!taken) {
        table.destroy(snapshot); // one request, one effect: none
      }
    }
  }

  private Snapshot create(CtrlRequest.SnapshotCreate request, SnapshotConfig config)
      throws IOException {
    Optional<Long> limit = request.limitBytes();
    if (!request.storage().isEmpty()) {
      return table.create(
          request.devices(),
          RequestHandler.absolute(request.storage()),
          limit.isPresent() ? OptionalLong.of(limit.get()) : OptionalLong.empty(),
          config);
    }
    if (limit.isPresent()) {
      throw new BlkSnapException(
          Errno.EINVAL, "a limit of " + limit.get() + " bytes, and no storage that it limits");
    }
    return table.createWithoutStorage(request.devices(), config);
  }

  /** Takes it; who gives up while commands and file systems are waited for has nothing taken. */
  private CtrlReply.Taken take(Snapshot snapshot, CtrlRequest.Hooks hooks, CtrlWatcher watcher)
      throws IOException {
    try {
      return takeWatched(snapshot, hooks, watcher);
    } catch (BlkSnapException e) {
      if (watcher.hasGivenUp() && e.errno() == Errno.ESHUTDOWN) {
        throw WatchedCourse.canceled("the take of snapshot " + snapshot.name());
      }
      throw e;
    }
  }

  private CtrlReply.Taken takeWatched(
      Snapshot snapshot, CtrlRequest.Hooks hooks, CtrlWatcher watcher) throws IOException {
    List<Path> mountPoints = new ArrayList<>();
    for (String mountPoint : hooks.freeze()) {
      mountPoints.add(RequestHandler.absolute(mountPoint));
    }
    List<String> warnings =
        table.take(
            snapshot,
            new TakeHooks(
                mountPoints, hooks.pre(), hooks.post(), hooks.timeoutMillis(), hooks.bestEffort()),
            new TakeSurroundings(
                List.of(parts.config().runDirectory()),
                Map.of(
                    "BLKSNAP_RUN_DIR", parts.config().runDirectory().toString(),
                    "BLKSNAP_STATE_DIR", parts.config().stateDirectory().toString()),
                () -> {
                  watcher.accept(new CtrlProgress("taking the snapshot", 0, OptionalLong.empty()));
                  return parts.initState() == InitState.GOING || watcher.hasGivenUp();
                }));
    return new CtrlReply.Taken(
        consistency(snapshot.consistency().orElse(Consistency.UNASKED)), warnings);
  }

  private static CtrlReply.Consistency consistency(Consistency consistency) {
    return new CtrlReply.Consistency(consistency.word(), consistency.reason());
  }

  private static Durability durability(CtrlRequest.Durability durability) {
    return switch (durability) {
      case NONE -> Durability.NONE;
      case PROCESS -> Durability.PROCESS;
      case POWER -> Durability.POWER;
    };
  }

  private static ImageLimit imageLimit(CtrlRequest.ImageLimit limit) throws BlkSnapException {
    if (!ImageLimit.mayBe(limit.requestsPerSecond(), limit.bytesPerSecond())) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "an image cannot be limited to "
              + limit.requestsPerSecond()
              + " requests and "
              + limit.bytesPerSecond()
              + " bytes a second: 0 is for none, and the least bytes are "
              + ImageLimit.MIN_BYTES_PER_SECOND);
    }
    return new ImageLimit(limit.requestsPerSecond(), limit.bytesPerSecond());
  }

  private static FullPolicy policy(CtrlRequest.OnFull onFull) throws BlkSnapException {
    if (onFull.waitSeconds().isEmpty()) {
      return new FullPolicy(onFull.waits(), OptionalLong.empty());
    }
    int seconds = onFull.waitSeconds().get();
    if (!onFull.waits() || seconds <= 0) {
      throw new BlkSnapException(Errno.EINVAL, "a wait of " + seconds + " seconds makes no sense");
    }
    return new FullPolicy(true, OptionalLong.of(seconds * 1_000L));
  }

  CtrlReply add(String id, String device) throws IOException {
    table.add(table.find(id), device);
    return new CtrlReply.Done();
  }

  CtrlReply append(CtrlRequest.SnapshotAppendStorage request) throws IOException {
    table.appendStorage(
        table.find(request.id()), RequestHandler.absolute(request.path()), request.ranges());
    return new CtrlReply.Done();
  }

  CtrlReply take(String id, CtrlRequest.Hooks hooks, CtrlWatcher watcher) throws IOException {
    return take(table.find(id), hooks, watcher);
  }

  CtrlReply list() {
    return new CtrlReply.Snapshots(table.all().stream().map(this::entry).toList());
  }

  CtrlReply info(String id) throws IOException {
    return entry(table.find(id));
  }

  private CtrlReply.SnapshotEntry entry(Snapshot snapshot) {
    Snapshot.View view = snapshot.view();
    DiffStorage.Space space = snapshot.storage().space();
    List<CtrlReply.SnapshotDevice> devices = new ArrayList<>();
    for (SnapshotPart part : view.parts()) {
      devices.add(new CtrlReply.SnapshotDevice(part.device(), part.corruption()));
    }
    FullPolicy onFull = snapshot.config().onFull();
    return new CtrlReply.SnapshotEntry(
        snapshot.id(),
        snapshot.name(),
        view.state().name().toLowerCase(Locale.ROOT),
        devices,
        view.takenAt(),
        switch (snapshot.config().durability()) {
          case NONE -> CtrlRequest.Durability.NONE;
          case PROCESS -> CtrlRequest.Durability.PROCESS;
          case POWER -> CtrlRequest.Durability.POWER;
        },
        new CtrlRequest.OnFull(
            onFull.waits(),
            onFull.longestMillis().isPresent()
                ? Optional.of((int) (onFull.longestMillis().getAsLong() / 1_000))
                : Optional.empty()),
        view.pauseNanos().isPresent()
            ? OptionalLong.of(view.pauseNanos().getAsLong() / 1_000)
            : OptionalLong.empty(),
        snapshot.consistency().map(SnapshotRequests::consistency),
        new CtrlReply.Storage(
            space.capacity(),
            space.filled(),
            space.limit(),
            space.free(),
            space.fullInSeconds(),
            snapshot.storage().trouble()));
  }

  CtrlReply images(String id) throws IOException {
    Snapshot snapshot = table.find(id);
    if (snapshot.view().state() != Snapshot.State.TAKEN) {
      throw new BlkSnapException(
          Errno.ENODEV, "snapshot " + snapshot.name() + " has no images: it is not taken yet");
    }
    List<CtrlReply.ImageEntry> images = new ArrayList<>();
    for (SnapshotPart part : snapshot.view().parts()) {
      if (part instanceof SnapshotPart.Taken taken) {
        String image = Exports.imageName(snapshot, part.device());
        images.add(
            new CtrlReply.ImageEntry(
                part.device(),
                image,
                taken.image().sizeBytes(),
                Uris.of(image, parts.config().nbdSocket())));
      }
    }
    return new CtrlReply.Images(images);
  }

  CtrlReply await(String id, long timeoutMillis) throws IOException, InterruptedException {
    if (timeoutMillis < 0 || timeoutMillis > RequestHandler.MAX_WAIT_MILLIS) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "a timeout of "
              + timeoutMillis
              + " ms is not from 0 to "
              + RequestHandler.MAX_WAIT_MILLIS);
    }
    Snapshot snapshot = table.find(id);
    Optional<EventQueue.Stamped> event = snapshot.events().await(timeoutMillis);
    if (event.isPresent()) {
      return new CtrlReply.SnapshotEvent(event.get());
    }
    if (snapshot.events().isClosed()) {
      throw new BlkSnapException(
          Errno.ESRCH, "snapshot " + snapshot.name() + " was destroyed while waiting");
    }
    throw new BlkSnapException(
        Errno.ETIMEDOUT,
        "no event of snapshot " + snapshot.name() + " came in " + timeoutMillis + " ms");
  }

  CtrlReply destroy(String id, CtrlWatcher watcher) throws IOException, InterruptedException {
    Snapshot snapshot = table.find(id);
    List<String> images = new ArrayList<>();
    for (SnapshotPart part : snapshot.view().parts()) {
      images.add(Exports.imageName(snapshot, part.device()));
    }
    table.destroy(
        snapshot,
        (stage, done, total) ->
            watcher.accept(new CtrlProgress(stage, done, OptionalLong.of(total))));
    for (String image : images) {
      parts.nbd().disconnect(image);
    }
    parts.exports().limits().keep(table.all());
    return new CtrlReply.Done();
  }
}
