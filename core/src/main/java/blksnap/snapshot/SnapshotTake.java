package blksnap.snapshot;

import blksnap.cbt.CbtMap;
import blksnap.cbt.CbtSnapshot;
import blksnap.diffarea.AreaConfig;
import blksnap.diffarea.DiffArea;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.Directories;
import blksnap.param.Parameter;
import blksnap.tracker.TrackedDevice;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * One try to take one snapshot. Everything that can be slow or fail is done before the gates close;
 * what is left for the instant is to copy what of the change maps was marked since, and to link the
 * areas in.
 */
final class SnapshotTake {
  /** What a device brings to the take. */
  static final class Prepared {
    final TrackedDevice device;
    final CbtMap map;
    final SnapshotRecord.Area area;
    final DiffArea diffArea;
    final CbtSnapshot frozen;

    Prepared(
        TrackedDevice device,
        CbtMap map,
        SnapshotRecord.Area area,
        DiffArea diffArea,
        CbtSnapshot frozen) {
      this.device = device;
      this.map = map;
      this.area = area;
      this.diffArea = diffArea;
      this.frozen = frozen;
    }
  }

  private final SnapshotContext context;
  private final SnapshotStore store;
  private final Snapshot snapshot;
  private final PartFactory factory;
  private final List<Prepared> prepared = new ArrayList<>();

  SnapshotTake(
      SnapshotContext context, SnapshotStore store, Snapshot snapshot, PartFactory factory) {
    this.context = context;
    this.store = store;
    this.snapshot = snapshot;
    this.factory = factory;
  }

  /** The devices, in the order in which gates are closed. */
  static List<TrackedDevice> inGateOrder(List<TrackedDevice> devices) {
    return devices.stream().sorted(Comparator.comparing(TrackedDevice::name)).toList();
  }

  /** Makes the files of every device. On failure nothing of them stays. */
  void prepare(List<TrackedDevice> devices) throws IOException {
    boolean done = false;
    try {
      for (TrackedDevice device : inGateOrder(devices)) {
        prepared.add(prepare(device));
      }
      done = true;
    } finally {
      if (!done) {
        discard();
      }
    }
  }

  private Prepared prepare(TrackedDevice device) throws IOException {
    Path home = store.part(snapshot.id(), device.name());
    store.clearPart(snapshot.id(), device.name());
    Directories.make(home);
    CbtMap map = device.map();
    SnapshotRecord.Area area = area(device, map);
    CbtSnapshot frozen = CbtSnapshot.create(home.resolve("frozen"), map.geometry());
    boolean made = false;
    try {
      DiffArea diffArea =
          factory.create(snapshot, device.name(), factory.config(snapshot, device.name(), area));
      try {
        if (area.syncEach()) {
          diffArea.force(); // before a record says that its blocks may be needed
          Directories.sync(home);
        }
        made = true;
      } finally {
        if (!made) {
          diffArea.close();
        }
      }
      return new Prepared(device, map, area, diffArea, frozen);
    } finally {
      if (!made) {
        frozen.close();
        store.clearPart(snapshot.id(), device.name());
      }
    }
  }

  /**
   * A snapshot that still stands needs what this one will preserve, at the durability that it was
   * promised.
   */
  private SnapshotRecord.Area area(TrackedDevice device, CbtMap map) throws IOException {
    boolean logged = snapshot.config().durability() != Durability.NONE;
    boolean syncEach = snapshot.config().durability() == Durability.POWER;
    for (DiffArea older : device.chain().areas()) {
      logged |= older.config().logDirectory().isPresent();
      syncEach |= older.config().syncEach();
    }
    long size = device.sizeBytes();
    int shift =
        AreaConfig.chunkShift(
            size,
            context.parameters().getInt(Parameter.CHUNK_MINIMUM_SHIFT),
            context.parameters().get(Parameter.CHUNK_MAXIMUM_COUNT));
    UUID content = context.trackers().find(device.name()).contentId();
    return new SnapshotRecord.Area(
        UUID.randomUUID(), content, map.generation(), map.active(), size, shift, logged, syncEach);
  }

  List<Prepared> prepared() {
    return prepared;
  }

  /** What to remember of the devices. */
  List<SnapshotRecord.Part> parts() {
    return prepared.stream()
        .map(p -> new SnapshotRecord.Part(p.device.name(), Optional.of(p.area)))
        .toList();
  }

  /** Leaves less to copy for the instant. */
  void copyAhead() {
    for (Prepared p : prepared) {
      p.device.copyMapAhead(p.frozen);
    }
  }

  /**
   * The instant: the gates of all devices are closed together.
   *
   * @return how long writers were held, in nanoseconds
   */
  long freeze() throws IOException {
    long start = context.nanoClock().getAsLong();
    long instant = 0;
    int heldBack = 0;
    int closed = 0;
    boolean done = false;
    try {
      for (Prepared p : prepared) {
        p.device.gate().holdBack();
        heldBack++;
      }
      for (Prepared p : prepared) {
        p.device.gate().close();
        closed++;
      }
      for (Prepared p : prepared) {
        if (wasResized(p)) {
          throw new BlkSnapException(
              Errno.EAGAIN, "device " + p.device.name() + " was resized during the take");
        }
      }
      long allClosed = context.nanoClock().getAsLong();
      for (Prepared p : prepared) {
        p.device.freezeMap(p.frozen);
        p.device.chain().add(p.diffArea);
        p.device.join(p.frozen);
      }
      instant = context.nanoClock().getAsLong() - allClosed;
      done = true;
    } finally {
      for (Prepared p : prepared) {
        if (!done && p.device.chain().areas().contains(p.diffArea)) {
          p.device.chain().unlink(p.diffArea); // no writer passed yet, so it holds nothing
          p.device.leave(p.frozen);
        }
      }
      while (closed > 0) {
        prepared.get(--closed).device.gate().open();
      }
      while (heldBack > 0) {
        prepared.get(--heldBack).device.gate().release();
      }
    }
    long pause = context.nanoClock().getAsLong() - start;
    context
        .log()
        .debug("snapshot " + snapshot.name() + ": gates closed for " + instant / 1_000 + " us");
    return pause;
  }

  /**
   * Since it was prepared; its size and its map do not change at once for who is not at the gate.
   * One that shrank and grew again has its old size, and the map of another generation.
   */
  private static boolean wasResized(Prepared p) {
    return p.device.sizeBytes() != p.area.sizeBytes() || p.device.map() != p.map;
  }

  /**
   * Makes the number of the take durable, which clients will remember; and what the snapshot stands
   * on, with what was written to the devices before it, if it was promised to survive a power loss.
   */
  void force() throws IOException {
    for (Prepared p : prepared) {
      p.device.forceMapState();
      if (p.area.syncEach()) {
        p.device.flush();
        p.frozen.force();
        p.diffArea.force();
        Directories.sync(store.part(snapshot.id(), p.device.name()));
      }
    }
  }

  /** Removes the files of a take that did not come to its instant. */
  void discard() throws IOException {
    for (Prepared p : prepared) {
      p.device.leave(p.frozen);
      p.frozen.close();
      p.diffArea.close();
      store.clearPart(snapshot.id(), p.device.name());
    }
    prepared.clear();
  }
}
