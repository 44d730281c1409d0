package blksnap.engine;

import blksnap.cbt.CbtMap;
import blksnap.cbt.CbtSnapshot;
import blksnap.cbt.ChangedRanges;
import blksnap.cbt.IntervalNumbers;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.sector.ByteRange;
import blksnap.sector.SectorRange;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotPart;
import blksnap.snapshot.SnapshotTable;
import blksnap.tracker.TrackedDevice;
import blksnap.tracker.TrackerTable;
import java.io.IOException;
import java.util.Optional;
import java.util.UUID;

/** Answers what has changed: between a number or a snapshot, and another snapshot or now. */
final class CbtQueries {
  private final TrackerTable trackers;
  private final SnapshotTable snapshots;

  CbtQueries(TrackerTable trackers, SnapshotTable snapshots) {
    this.trackers = trackers;
    this.snapshots = snapshots;
  }

  CtrlReply.CbtState info(String name) throws IOException {
    TrackedDevice device = trackers.find(name).device();
    return device.readMap(map ->
        new CtrlReply.CbtState(
            name,
            map.geometry().blockBytes(),
            map.geometry().blockCount(),
            map.geometry().capacityBytes(),
            map.generation(),
            map.previous(),
            map.dirtyBlocks()));
  }

  CtrlReply.CbtRanges map(CtrlRequest.CbtMap request) throws IOException {
    TrackedDevice device = trackers.find(request.device()).device();
    requireOffset(request.fromOffset());
    ChangedRanges page;
    if (request.until().isPresent()) {
      CbtSnapshot frozen = frozen(request.until().get(), request.device());
      IntervalNumbers numbers = frozen.numbers();
      int since =
          since(
              request.device(),
              request.since(),
              numbers.untilGeneration(),
              numbers.untilNumber() - 1);
      page = frozen.changedSince(since, request.fromOffset(), CtrlRequest.MAX_MAP_PAGE_RANGES);
    } else {
      Since since = device.readMap(map -> new Since(map.generation(), map.previous()));
      int number = since(request.device(), request.since(), since.generation, since.number);
      page =
          device.readMap(map ->
              map.changedSince(number, request.fromOffset(), CtrlRequest.MAX_MAP_PAGE_RANGES));
    }
    return new CtrlReply.CbtRanges(page.ranges(), page.next());
  }

  private record Since(UUID generation, int number) {}

  private static void requireOffset(long offset) throws BlkSnapException {
    if (offset < 0) {
      throw new BlkSnapException(Errno.EINVAL, "offset " + offset + " is negative");
    }
  }

  /**
   * The number above which a block counts as changed.
   *
   * @param highest the highest number that makes sense: that of the latest take before the end of
   *     the map
   */
  int since(String device, Optional<String> since, UUID generation, int highest)
      throws IOException {
    if (since.isEmpty()) {
      return 0;
    }
    String text = since.get();
    Optional<Snapshot> snapshot = snapshots.lookup(text);
    int number;
    if (snapshot.isPresent()) {
      IntervalNumbers numbers = frozen(text, device).numbers();
      if (!numbers.sinceGeneration().equals(generation)) {
        throw new BlkSnapException(
                Errno.EINVAL,
                "snapshot "
                    + text
                    + " is of generation "
                    + numbers.sinceGeneration()
                    + ", the map of "
                    + generation)
            .withHint("read everything: leave out --since, and copy the whole device");
      }
      number = numbers.sinceNumber();
    } else {
      number = parse(text);
    }
    if (number > highest) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "since "
              + text
              + " (number "
              + number
              + ") is after the map's latest take, number "
              + highest);
    }
    return number;
  }

  private int parse(String text) throws BlkSnapException {
    try {
      int number = Integer.parseInt(text);
      if (number >= 0 && number <= 255) {
        return number;
      }
    } catch (NumberFormatException e) {
      var refusal =
          new BlkSnapException(
              Errno.ESRCH, "there is no snapshot '" + text + "', and it is no number", e);
      throw snapshots.hint(text).map(refusal::withHint).orElse(refusal);
    }
    throw new BlkSnapException(Errno.EINVAL, "a snapshot number is from 0 to 255, not " + text);
  }

  private CbtSnapshot frozen(String id, String device) throws BlkSnapException {
    Snapshot snapshot = snapshots.find(id);
    SnapshotPart part =
        snapshot
            .part(device)
            .orElseThrow(() ->
                new BlkSnapException(
                    Errno.ENODEV, "device " + device + " is not in snapshot " + snapshot.name()));
    return switch (part) {
      case SnapshotPart.Taken taken -> taken.frozen();
      case SnapshotPart.Named named ->
          throw new BlkSnapException(
              Errno.EINVAL, "snapshot " + snapshot.name() + " is not taken yet");
      case SnapshotPart.Lost lost ->
          throw new BlkSnapException(
              Errno.EIO, "device " + device + " of snapshot " + snapshot.name() + " is lost");
    };
  }

  CtrlReply.CbtBytes raw(CtrlRequest.CbtRaw request) throws IOException {
    TrackedDevice device = trackers.find(request.device()).device();
    requireOffset(request.fromBlock());
    if (request.until().isPresent()) {
      CbtSnapshot frozen = frozen(request.until().get(), request.device());
      return new CtrlReply.CbtBytes(
          frozen.page(request.fromBlock(), CtrlRequest.MAX_MAP_PAGE_BYTES),
          frozen.geometry().blockCount());
    }
    return device.readMap(map ->
        new CtrlReply.CbtBytes(
            map.page(request.fromBlock(), CtrlRequest.MAX_MAP_PAGE_BYTES),
            map.geometry().blockCount()));
  }

  /**
   * Marks ranges in the live map and in the frozen map of the latest snapshot; all are judged
   * first.
   */
  void mark(CtrlRequest.CbtMark request) throws IOException {
    TrackedDevice device = trackers.find(request.device()).device();
    if (request.ranges().isEmpty()) {
      throw new BlkSnapException(Errno.EINVAL, "no range to mark was given");
    }
    for (SectorRange range : request.ranges()) {
      if (range.bytes().end() > device.sizeBytes()) {
        throw new BlkSnapException(
            Errno.EINVAL,
            "range "
                + range
                + " ends beyond the "
                + device.sizeBytes() / SectorRange.SECTOR_BYTES
                + " sectors of "
                + device.name());
      }
    }
    Optional<CbtSnapshot> latest = latestFrozen(device);
    for (SectorRange range : request.ranges()) {
      ByteRange bytes = range.bytes();
      device.markChanged(bytes.offset(), bytes.length());
      if (latest.isPresent()) {
        long inside =
            Math.min(bytes.length(), latest.get().geometry().capacityBytes() - bytes.offset());
        if (inside > 0) {
          latest.get().mark(bytes.offset(), inside);
        }
      }
    }
  }

  private Optional<CbtSnapshot> latestFrozen(TrackedDevice device) throws BlkSnapException {
    int number = device.readMap(CbtMap::previous);
    UUID generation = device.readMap(CbtMap::generation);
    for (Snapshot snapshot : snapshots.holding(device.name())) {
      if (snapshot.part(device.name()).orElse(null) instanceof SnapshotPart.Taken taken
          && taken.frozen().numbers().sinceNumber() == number
          && taken.frozen().numbers().sinceGeneration().equals(generation)) {
        return Optional.of(taken.frozen());
      }
    }
    return Optional.empty();
  }
}
