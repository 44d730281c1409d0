package blksnap.engine;

import blksnap.cbt.CbtMap;
import blksnap.diffarea.DiffArea;
import blksnap.diffstorage.DiffStorage;
import blksnap.error.Errno;
import blksnap.param.Parameter;
import blksnap.snapshot.Consistency;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotPart;
import blksnap.status.LiveDirectory;
import blksnap.status.LiveTree;
import blksnap.tracker.TrackedDevice;
import blksnap.tracker.TrackerTable;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** Describes the status tree of an engine; every value is read when it is asked for. */
final class StatusBuilder {
  private final EngineParts parts;

  StatusBuilder(EngineParts parts) {
    this.parts = parts;
  }

  LiveTree build() {
    return new LiveTree(root -> root.directory("sys", this::sys));
  }

  private void sys(LiveDirectory sys) {
    sys.directory("module", d -> d.directory(Version.NAME, this::module));
    sys.directory("class", d -> d.directory(Version.NAME, this::sockets));
    sys.directory("block", this::block);
    sys.directory("fs", d -> d.directory(Version.NAME, this::snapshots));
  }

  private void module(LiveDirectory module) {
    module.attribute("version", () -> Version.TEXT);
    module.attribute("initstate", () -> parts.initState().text());
    module.attribute("refcnt", () -> Integer.toString(parts.references()));
    module.directory(
        "parameters",
        directory -> {
          for (Parameter parameter : Parameter.values()) {
            directory.attribute(
                parameter.key(),
                () -> Long.toString(parts.parameters().get(parameter)),
                value -> parts.setParameter(parameter, value));
          }
        });
  }

  private void sockets(LiveDirectory sockets) {
    sockets.attribute(
        "ctrl", () -> parts.config().serveControl() ? parts.config().ctrlSocket().toString() : "");
    sockets.attribute("nbd", () -> parts.config().nbdSocket().toString());
    parts.tcpAddresses().ifPresent(all -> sockets.attribute("nbd_tcp", () -> all));
  }

  private void block(LiveDirectory block) {
    for (TrackerTable.Attached device : parts.trackers().all()) {
      block.directory(device.name(), d -> device(d, device));
    }
    for (Snapshot snapshot : parts.snapshots().all()) {
      for (SnapshotPart part : snapshot.view().parts()) {
        if (part instanceof SnapshotPart.Taken taken) {
          block.directory(Exports.imageName(snapshot, part.device()), d -> image(d, taken));
        }
      }
    }
  }

  private static void device(LiveDirectory directory, TrackerTable.Attached attached) {
    TrackedDevice device = attached.device();
    directory.attribute("path", attached::path);
    directory.attribute("size", () -> Long.toString(device.sizeBytes()));
    directory.attribute(
        "file_size", () -> Long.toString(device.sizeBytes() + attached.original().surplusBytes()));
    directory.attribute("ro", () -> device.readOnly() ? "1" : "0");
    directory.attribute("stat", () -> device.stat().line());
    directory.attribute("latency", () -> device.stat().latencyLine());
    directory.attribute("filter", () -> Version.NAME);
    directory.directory(
        "cbt",
        cbt -> {
          cbt.attribute("block_size", () -> number(device, map -> map.geometry().blockBytes()));
          cbt.attribute("block_count", () -> number(device, map -> map.geometry().blockCount()));
          cbt.attribute("generation_id", () -> device.readMap(map -> map.generation().toString()));
          cbt.attribute("snap_number", () -> number(device, map -> (long) map.previous()));
          cbt.attribute("dirty_blocks", () -> number(device, CbtMap::dirtyBlocks));
          cbt.attribute("errno", () -> number(device.danger()));
        });
  }

  private static String number(
      TrackedDevice device, java.util.function.Function<CbtMap, Long> value)
      throws java.io.IOException {
    return Long.toString(device.readMap(value));
  }

  private static void image(LiveDirectory directory, SnapshotPart.Taken part) {
    DiffArea area = part.area();
    directory.attribute("size", () -> Long.toString(area.config().sizeBytes()));
    directory.attribute("chunk_size", () -> Long.toString(1L << area.config().chunkShift()));
    directory.attribute("chunks", () -> Long.toString(area.chunksTouched()));
    directory.attribute("blocks_stored", () -> Long.toString(area.blocksStored()));
    directory.attribute("stat", () -> part.image().stat().line());
    directory.attribute("latency", () -> part.image().stat().latencyLine());
    directory.attribute("errno", () -> number(area.corruption()));
  }

  private static String number(Optional<Errno> error) {
    return Integer.toString(error.map(Errno::number).orElse(0));
  }

  private void snapshots(LiveDirectory directory) {
    for (Snapshot snapshot : parts.snapshots().all()) {
      directory.directory(snapshot.name(), d -> snapshot(d, snapshot));
    }
  }

  private void snapshot(LiveDirectory directory, Snapshot snapshot) {
    directory.attribute("uuid", () -> snapshot.id().toString());
    directory.attribute("state", () -> lower(snapshot.view().state()));
    directory.attribute(
        "devices",
        () ->
            snapshot.view().parts().stream()
                .map(SnapshotPart::device)
                .collect(Collectors.joining(" ")));
    directory.attribute(
        "taken_at", () -> snapshot.view().takenAt().map(Object::toString).orElse(""));
    directory.attribute("durability", () -> lower(snapshot.config().durability()));
    directory.attribute(
        "take_pause_us",
        () ->
            snapshot.view().pauseNanos().isPresent()
                ? Long.toString(snapshot.view().pauseNanos().getAsLong() / 1_000)
                : "");
    directory.attribute(
        "consistency", () -> snapshot.consistency().map(Consistency::word).orElse(""));
    directory.attribute(
        "consistency_reason", () -> snapshot.consistency().map(Consistency::reason).orElse(""));
    ImageLimits limits = parts.exports().limits();
    directory.directory(
        "image_limit",
        limit -> {
          limit.attribute(
              "iops",
              () -> Long.toString(snapshot.config().imageLimit().requestsPerSecond()),
              value -> limits.setRequests(parts.snapshots(), snapshot, value));
          limit.attribute(
              "rate",
              () -> Long.toString(snapshot.config().imageLimit().bytesPerSecond()),
              value -> limits.setBytes(parts.snapshots(), snapshot, value));
        });
    directory.directory(
        "storage",
        storage -> {
          DiffStorage.Space space = snapshot.storage().space();
          storage.attribute("capacity", () -> Long.toString(space.capacity()));
          storage.attribute("filled", () -> Long.toString(space.filled()));
          storage.attribute(
              "limit",
              () -> space.limit().isPresent() ? Long.toString(space.limit().getAsLong()) : "");
          storage.attribute("free", () -> Long.toString(space.free()));
          storage.attribute(
              "full_in_s",
              () ->
                  space.fullInSeconds().isPresent()
                      ? Long.toString(space.fullInSeconds().getAsLong())
                      : "");
          storage.attribute("trouble", () -> snapshot.storage().trouble().orElse(""));
        });
  }

  private static String lower(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
