package blksnap.engine;

import blksnap.cbt.CbtSnapshot;
import blksnap.cbt.IntervalNumbers;
import blksnap.diffarea.HeldRun;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.nbd.MetaContext;
import blksnap.snapimage.SnapImage;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotPart;
import blksnap.snapshot.SnapshotTable;
import blksnap.tracker.TrackedDevice;
import blksnap.tracker.TrackerTable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * The metadata contexts of one export by which NBD clients learn what has changed. A device's tell
 * of its live map, an image's of the map frozen with it.
 */
final class ChangeContexts {
  /** Followed by a number or a snapshot: what has changed since is dirty. Named as QEMU's are. */
  static final String DIRTY_SINCE = "qemu:dirty-bitmap:since-";

  /** Every block's number in the change map. */
  static final String NUMBERS = "blksnap:cbt";

  /** Where an image's blocks are: 1 stored for it, 0 still on the device. */
  static final String DEPTH = "qemu:allocation-depth";

  private final TrackerTable trackers;
  private final SnapshotTable snapshots;
  private final String device;
  private final Optional<SnapImage> image;
  private final Maps maps;

  /** The map behind an export. */
  private interface Maps {
    /** As it is now: later questions are answered from the same generation, or refused. */
    Bound bind() throws IOException;
  }

  /**
   * @param highest the number of the latest take before the end of the map
   */
  private record Bound(UUID generation, int highest, MapContext.Pages pages) {}

  private ChangeContexts(
      TrackerTable trackers,
      SnapshotTable snapshots,
      String device,
      Optional<SnapImage> image,
      Maps maps) {
    this.trackers = trackers;
    this.snapshots = snapshots;
    this.device = device;
    this.image = image;
    this.maps = maps;
  }

  static ChangeContexts of(TrackerTable trackers, SnapshotTable snapshots, TrackedDevice device) {
    return new ChangeContexts(
        trackers, snapshots, device.name(), Optional.empty(), () -> bind(device));
  }

  static ChangeContexts of(
      TrackerTable trackers, SnapshotTable snapshots, SnapshotPart.Taken part) {
    return new ChangeContexts(
        trackers, snapshots, part.device(), Optional.of(part.image()), () -> bind(part.frozen()));
  }

  private static Bound bind(CbtSnapshot frozen) {
    IntervalNumbers numbers = frozen.numbers();
    return new Bound(
        numbers.untilGeneration(),
        numbers.untilNumber() - 1,
        (from, max) -> new MapContext.Page(frozen.geometry(), frozen.page(from, max)));
  }

  private static Bound bind(TrackedDevice device) throws BlkSnapException {
    record Now(UUID generation, int previous) {}

    record Read(UUID generation, MapContext.Page page) {}

    Now now = device.readMap(map -> new Now(map.generation(), map.previous()));
    return new Bound(
        now.generation,
        now.previous,
        (from, max) -> {
          Read read =
              device.readMap(map ->
                  new Read(
                      map.generation(), new MapContext.Page(map.geometry(), map.page(from, max))));
          if (!read.generation.equals(now.generation)) {
            throw new BlkSnapException(
                Errno.EIO,
                "generation " + now.generation + " of " + device.name() + "'s map is over");
          }
          return read.page;
        });
  }

  /** Those that are worth listing; more may be found. */
  List<String> names() {
    var names = new ArrayList<String>();
    try {
      Bound bound = maps.bind();
      names.add(DIRTY_SINCE + bound.highest);
      for (Snapshot snapshot : snapshots.all()) {
        if (snapshot.part(device).orElse(null) instanceof SnapshotPart.Taken
            && since(snapshot.name(), bound).isPresent()) {
          names.add(DIRTY_SINCE + snapshot.name());
        }
      }
      names.add(NUMBERS);
    } catch (IOException e) {
      names.clear(); // the map is broken, or the device goes: who reads it is told so elsewhere
    }
    if (image.isPresent()) {
      names.add(DEPTH);
    }
    return names;
  }

  /** The one with this name. */
  Optional<MetaContext> find(String name) {
    if (name.equals(DEPTH)) {
      return image.map(Depth::new);
    }
    try {
      if (name.equals(NUMBERS)) {
        return Optional.of(new MapContext(name, maps.bind().pages, number -> number));
      }
      if (name.startsWith(DIRTY_SINCE)) {
        Bound bound = maps.bind();
        return since(name.substring(DIRTY_SINCE.length()), bound)
            .map(since -> new MapContext(name, bound.pages, number -> number > since ? 1 : 0));
      }
    } catch (IOException e) {
      return Optional.empty(); // as above
    }
    return Optional.empty();
  }

  /** The number after which a block counts as changed; empty when this says nothing of the map. */
  private Optional<Integer> since(String text, Bound bound) throws IOException {
    try {
      return Optional.of(
          new CbtQueries(trackers, snapshots)
              .since(device, Optional.of(text), bound.generation, bound.highest));
    } catch (BlkSnapException e) {
      return Optional.empty();
    }
  }

  /** {@value ChangeContexts#DEPTH} of an image. */
  private record Depth(SnapImage of) implements MetaContext {
    @Override
    public String name() {
      return DEPTH;
    }

    @Override
    public List<Run> status(long offset, long length, int maxRuns) throws IOException {
      var runs = new ArrayList<Run>();
      for (HeldRun run : of.held(offset, length, maxRuns)) {
        runs.add(new Run(run.length(), run.held() ? 1 : 0));
      }
      return runs;
    }
  }
}
