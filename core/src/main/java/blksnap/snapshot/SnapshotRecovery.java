package blksnap.snapshot;

import blksnap.cbt.CbtSnapshot;
import blksnap.cbt.IntervalNumbers;
import blksnap.diffarea.AreaChain;
import blksnap.diffarea.AreaConfig;
import blksnap.diffarea.DiffArea;
import blksnap.diffstorage.DiffStorage;
import blksnap.diffstorage.Location;
import blksnap.diffstorage.StorageListener;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.eventqueue.EventQueue;
import blksnap.linux.Machine;
import blksnap.tracker.TrackedDevice;
import blksnap.tracker.TrackerTable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.BiFunction;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Finds the snapshots of an engine that died. Areas join the chains of their devices in the order
 * of their takes. What was on its way, a take or a destroy, is undone or finished by handing its
 * blocks down, since older snapshots may need them. What cannot be trusted is corrupt, with the
 * reason in the log; nothing is ever shown by guess.
 */
final class SnapshotRecovery {
  private static final String POWER_LOST = "power was lost, which its durability does not survive";

  private final SnapshotContext context;
  private final SnapshotStore store;
  private final PartFactory factory;
  private final BiFunction<String, EventQueue, StorageListener> listeners;
  private final Supplier<EventQueue> newEvents;
  private final Map<UUID, EventQueue> events = new HashMap<>();
  private final Map<Integer, DiffStorage> storages = new HashMap<>();
  private final Set<DiffStorage> missing = new HashSet<>();

  /** Areas of takes that did not come to their end, by snapshot. */
  private final Map<UUID, List<Undone>> undone = new HashMap<>();

  /** Records of snapshots that have just lost images. */
  private final Map<UUID, SnapshotRecord> losses = new HashMap<>();

  /** Areas whose blocks are in use though no image shows them now, by device, the oldest first. */
  private final Map<String, List<DiffArea>> apart = new HashMap<>();

  private long highestSequence;

  SnapshotRecovery(
      SnapshotContext context,
      SnapshotStore store,
      PartFactory factory,
      BiFunction<String, EventQueue, StorageListener> listeners,
      Supplier<EventQueue> newEvents) {
    this.context = context;
    this.store = store;
    this.factory = factory;
    this.listeners = listeners;
    this.newEvents = newEvents;
  }

  private record Undone(TrackedDevice device, DiffArea area) {}

  /** A snapshot with the areas that were found, and what its record said. */
  private record Found(Snapshot snapshot, SnapshotRecord record, List<SnapshotPart> parts) {
    boolean isLeaving() {
      boolean condemned =
          parts.stream().anyMatch(p -> p instanceof SnapshotPart.Taken t && t.area().isCondemned());
      return record.phase() == SnapshotRecord.Phase.TAKING
          || condemned
          || (record.config().durability() == Durability.NONE
              && record.phase() == SnapshotRecord.Phase.TAKEN);
    }
  }

  /** The snapshots that stand again. */
  List<Snapshot> run() throws IOException {
    SnapshotStore.Records stored = store.records();
    List<SnapshotRecord> records = new ArrayList<>(stored.whole());
    records.sort(Comparator.comparingLong(SnapshotRecord::sequence));
    for (SnapshotRecord record : records) {
      events.put(record.id(), newEvents.get());
      highestSequence = Math.max(highestSequence, record.sequence());
    }
    openStorages(records);
    List<Found> found = new ArrayList<>();
    for (SnapshotRecord record : records) {
      find(record).ifPresent(found::add);
    }
    for (String device : stored.devicesOfDamaged()) {
      corruptOlder(device, "the record of a snapshot of the device is damaged");
    }
    claimBlocks();
    List<Snapshot> standing = new ArrayList<>();
    // Newest first: what it had begun to hand down, its older neighbour may be about to release.
    for (Found f : found.reversed()) {
      if (f.isLeaving()) {
        finish(f).ifPresent(standing::add);
      }
    }
    Set<CbtSnapshot> doubtful = frozenBeforeAPowerLoss(found);
    for (Found f : found) {
      if (!f.isLeaving()) {
        if (powerLost(f.record)) {
          markWritten(f, doubtful);
        }
        standing.add(f.snapshot);
        context.log().info("snapshot " + f.snapshot.name() + ": found again, " + f.record.phase());
      }
    }
    return standing;
  }

  long highestSequence() {
    return highestSequence;
  }

  /**
   * A storage that cannot be opened keeps its place: what lies in it is EIO, and its number is not
   * given away.
   */
  private void openStorages(List<SnapshotRecord> records) throws IOException {
    Map<UUID, SnapshotRecord> owners = new HashMap<>();
    records.forEach(record -> owners.put(record.id(), record));
    for (SnapshotStore.StorageRecord record : store.storageRecords()) {
      SnapshotRecord owner = owners.get(record.snapshot());
      EventQueue queue = events.computeIfAbsent(record.snapshot(), id -> newEvents.get());
      String name = owner == null ? record.snapshot().toString() : nameOf(owner);
      StorageListener listener = listeners.apply(name, queue);
      DiffStorage storage;
      try {
        if (record.damage().isPresent()) {
          throw record.damage().get();
        }
        storage =
            context
                .storages()
                .reopen(record.number(), record.snapshot(), record.ranges(), listener);
      } catch (IOException e) {
        context
            .log()
            .error(
                "diff storage "
                    + record.number()
                    + " of snapshot "
                    + name
                    + " is missing: "
                    + e.getMessage());
        storage =
            context
                .storages()
                .missing(record.number(), record.snapshot(), record.ranges(), listener);
        missing.add(storage);
      }
      storages.put(record.number(), storage);
      if (owner == null) {
        storage.disown();
      }
    }
  }

  private static String nameOf(SnapshotRecord record) {
    return record.config().name().isEmpty() ? record.id().toString() : record.config().name();
  }

  /** A snapshot that was not taken may have had no storage yet; else the record is lost. */
  private DiffStorage withoutRecord(SnapshotRecord record, StorageListener listener)
      throws IOException {
    if (record.phase() == SnapshotRecord.Phase.CREATED) {
      return context.storages().reopen(record.storage(), record.id(), List.of(), listener);
    }
    DiffStorage lost =
        context.storages().missing(record.storage(), record.id(), List.of(), listener);
    missing.add(lost);
    return lost;
  }

  private Optional<Found> find(SnapshotRecord record) throws IOException {
    DiffStorage storage = storages.get(record.storage());
    boolean created = record.phase() == SnapshotRecord.Phase.CREATED;
    if (created && storage != null && !storage.snapshot().equals(record.id())) {
      removeRest(record);
      return Optional.empty();
    }
    EventQueue queue = events.computeIfAbsent(record.id(), id -> newEvents.get());
    if (storage == null) {
      storage = withoutRecord(record, listeners.apply(nameOf(record), queue));
      storages.put(record.storage(), storage);
    }
    boolean taken = record.phase() != SnapshotRecord.Phase.CREATED;
    var snapshot =
        new Snapshot(
            record.id(),
            record.config(),
            storage,
            queue,
            new Snapshot.View(Snapshot.State.CREATED, List.of(), record.pauseNanos()));
    List<SnapshotPart> parts = new ArrayList<>();
    for (SnapshotRecord.Part part : record.parts()) {
      if (taken && part.lost().isPresent()) {
        parts.add(new SnapshotPart.Lost(part.device(), part.lost().get()));
      } else if (taken && part.area().isPresent()) {
        parts.add(findPart(snapshot, record, part.device(), part.area().get()));
      } else {
        parts.add(new SnapshotPart.Named(part.device()));
      }
    }
    become(
        snapshot,
        new Snapshot.View(
            taken ? Snapshot.State.TAKEN : Snapshot.State.CREATED,
            parts,
            record.takenAt(),
            record.pauseNanos(),
            taken ? record.consistency() : Optional.empty()));
    return Optional.of(new Found(snapshot, record, parts));
  }

  /**
   * The number of its storage was given to another one, so this one was gone by then, and its
   * record could not be removed. What cannot be removed now the next load tries again.
   */
  private void removeRest(SnapshotRecord record) {
    String name = nameOf(record);
    try {
      store.forget(record.id());
      store.clear(record.id());
      context.log().info("snapshot " + name + ": what was left of it is removed");
    } catch (IOException e) {
      context.log().warning("snapshot " + name + ": what is left of it stays: " + e.getMessage());
    }
  }

  private static void become(Snapshot snapshot, Snapshot.View view) {
    snapshot.lock().lock();
    try {
      snapshot.become(view);
    } finally {
      snapshot.lock().unlock();
    }
  }

  private SnapshotPart findPart(
      Snapshot snapshot, SnapshotRecord record, String device, SnapshotRecord.Area area)
      throws IOException {
    Optional<TrackerTable.Attached> attached = context.trackers().lookup(device);
    if (attached.isPresent() && !area.logged()) {
      return new SnapshotPart.Lost(device, Errno.ENODATA); // it was to live in memory only
    }
    boolean powerLost = powerLost(record);
    AreaConfig config = factory.config(snapshot, device, area);
    if (attached.isEmpty()) {
      setApart(snapshot, device, config, powerLost);
      return new SnapshotPart.Lost(device, Errno.ENODEV);
    }
    DiffArea found;
    try {
      found = factory.recover(snapshot, device, config, powerLost);
    } catch (IOException | RuntimeException e) { // whatever a damaged file makes of itself
      return lose(snapshot, record, device, reason(e, powerLost, area));
    }
    if (record.phase() == SnapshotRecord.Phase.TAKING) {
      return undo(record, attached.get().device(), found);
    }
    CbtSnapshot frozen;
    try {
      frozen = openFrozen(store.part(record.id(), device).resolve("frozen"), area);
    } catch (IOException | RuntimeException e) {
      found.close();
      return lose(snapshot, record, device, reason(e, powerLost, area));
    }
    if (!area.syncEach() && powerLost) {
      frozen.lose(POWER_LOST);
    }
    TrackedDevice tracked = attached.get().device();
    tracked.gate().close();
    try {
      tracked.chain().add(found);
      tracked.join(frozen);
    } finally {
      tracked.gate().open();
    }
    if (!attached.get().contentId().equals(area.contentId())) {
      found.corrupt(Errno.EIO, "the device was changed by others meanwhile");
    } else if (!area.syncEach() && powerLost) {
      found.corrupt(Errno.EIO, POWER_LOST);
    } else if (missing.contains(snapshot.storage()) && !found.isCondemned()) {
      found.corrupt(Errno.EIO, "its diff storage is missing");
    }
    return factory.part(tracked, found, frozen);
  }

  /**
   * Nobody may take the blocks of a device that is not there: with the next load it may be back.
   */
  private void setApart(Snapshot snapshot, String device, AreaConfig config, boolean powerLost) {
    if (config.logDirectory().isEmpty()) {
      return;
    }
    try {
      DiffArea area = factory.recover(snapshot, device, config, powerLost);
      apart.computeIfAbsent(device, name -> new ArrayList<>()).add(area);
    } catch (IOException | RuntimeException e) { // as it would be lost if the device were there
      context
          .log()
          .error(
              "snapshot "
                  + snapshot.name()
                  + ": nothing keeps the blocks of "
                  + device
                  + ": "
                  + e.getMessage());
    }
  }

  /** What the area of a take that did not come to its end holds, older ones may need. */
  private SnapshotPart undo(SnapshotRecord record, TrackedDevice device, DiffArea area) {
    device.gate().close();
    try {
      device.chain().add(area);
    } finally {
      device.gate().open();
    }
    undone.computeIfAbsent(record.id(), id -> new ArrayList<>()).add(new Undone(device, area));
    return new SnapshotPart.Named(device.name());
  }

  private static CbtSnapshot openFrozen(Path path, SnapshotRecord.Area area) throws IOException {
    CbtSnapshot frozen = CbtSnapshot.open(path);
    IntervalNumbers numbers = frozen.numbers();
    if (frozen.geometry().capacityBytes() == area.sizeBytes()
        && numbers.untilGeneration().equals(area.generation())
        && numbers.untilNumber() == area.number()) {
      return frozen;
    }
    frozen.close();
    throw new BlkSnapException(Errno.EBADMSG, path + " is the frozen change map of another take");
  }

  /** Files that were not promised to survive a power loss are not damaged by it. */
  private static Exception reason(Exception damage, boolean powerLost, SnapshotRecord.Area area) {
    return powerLost && !area.syncEach()
        ? new BlkSnapException(Errno.EIO, POWER_LOST, damage)
        : damage;
  }

  /** For good: what is written from now on is not kept for it, though it could be read again. */
  private SnapshotPart lose(Snapshot snapshot, SnapshotRecord record, String device, Exception why)
      throws IOException {
    context
        .log()
        .error(
            "snapshot "
                + snapshot.name()
                + ": image of "
                + device
                + " is lost: "
                + why.getMessage());
    corruptOlder(device, "a newer snapshot of the device is lost");
    Errno cause = why instanceof BlkSnapException e ? e.errno() : Errno.EIO;
    if (record.phase() == SnapshotRecord.Phase.TAKEN) {
      SnapshotRecord now = losses.getOrDefault(record.id(), record).withLost(device, cause);
      losses.put(record.id(), now);
      store.save(now);
    }
    return new SnapshotPart.Lost(device, cause);
  }

  /** Areas that may have leaned on one that is lost. */
  private void corruptOlder(String device, String why) {
    Optional<TrackerTable.Attached> attached = context.trackers().lookup(device);
    if (attached.isPresent()) {
      for (DiffArea older : attached.get().device().chain().areas()) {
        older.corrupt(Errno.EIO, why);
      }
    }
  }

  private void claimBlocks() {
    for (TrackerTable.Attached attached : context.trackers().all()) {
      for (DiffArea area : attached.device().chain().areas()) {
        area.claimBlocks(attached.device().chain().olderThan(area));
      }
    }
    for (List<DiffArea> areas : apart.values()) {
      @Nullable DiffArea older = null;
      for (DiffArea area : areas) {
        area.claimBlocks(older);
        older = area;
      }
      areas.forEach(DiffArea::close);
    }
  }

  private boolean powerLost(SnapshotRecord record) throws IOException {
    return !record.bootId().equals(Machine.of(context.directory()).bootId());
  }

  /** Maps that may have lost marks; a kill takes none, and what it leaves must stay exact. */
  private Set<CbtSnapshot> frozenBeforeAPowerLoss(List<Found> found) throws IOException {
    Set<CbtSnapshot> doubtful = new HashSet<>();
    for (Found f : found) {
      if (powerLost(f.record)) {
        for (SnapshotPart part : f.parts) {
          if (part instanceof SnapshotPart.Taken taken) {
            doubtful.add(taken.frozen());
          }
        }
      }
    }
    return doubtful;
  }

  /** What was written to images is as durable as its mapping; its marks in frozen maps are not. */
  private void markWritten(Found found, Set<CbtSnapshot> doubtful) throws IOException {
    for (SnapshotPart part : found.parts) {
      if (part instanceof SnapshotPart.Taken taken) {
        TrackedDevice device = context.trackers().find(part.device()).device();
        List<Long> blocks = new ArrayList<>();
        taken.area().forEachWritten(blocks::add);
        for (long block : blocks) {
          device.markFrozen(
              taken.frozen(),
              doubtful::contains,
              block << Location.BLOCK_SHIFT,
              Location.BLOCK_BYTES);
        }
      }
    }
  }

  /** Undoes a take, or finishes a destroy. */
  private Optional<Snapshot> finish(Found found) throws IOException {
    Set<String> devices = new HashSet<>();
    Map<DiffArea, Optional<DiffArea>> dissolved = new LinkedHashMap<>();
    for (SnapshotPart part : found.parts) {
      devices.add(part.device());
      if (part instanceof SnapshotPart.Taken taken) {
        TrackedDevice device = context.trackers().find(part.device()).device();
        dissolved.put(
            taken.area(), Optional.ofNullable(SnapshotTable.dissolve(device, taken.area())));
        device.leave(taken.frozen());
        taken.frozen().close();
        taken.area().close();
      } else if (part instanceof SnapshotPart.Lost) {
        context.trackers().breakContent(part.device());
      }
    }
    for (Undone u : undone.getOrDefault(found.record.id(), List.of())) {
      dissolved.put(u.area, Optional.ofNullable(SnapshotTable.dissolve(u.device, u.area)));
      u.area.close();
    }
    if (found.record.phase() != SnapshotRecord.Phase.TAKING) {
      found.snapshot.storage().disown();
    }
    dissolved.forEach((area, older) -> AreaChain.releaseAfter(area, older.orElse(null)));
    if (found.record.phase() != SnapshotRecord.Phase.TAKING) {
      store.forget(found.record.id());
      store.clear(found.record.id());
      context.log().info("snapshot " + found.snapshot.name() + ": its destruction is finished");
      return Optional.empty();
    }
    List<SnapshotPart> named = new ArrayList<>();
    List<SnapshotRecord.Part> parts = new ArrayList<>();
    for (SnapshotRecord.Part part : found.record.parts()) {
      named.add(new SnapshotPart.Named(part.device()));
      parts.add(new SnapshotRecord.Part(part.device(), Optional.empty()));
    }
    SnapshotRecord r = found.record;
    store.save(
        new SnapshotRecord(
            r.id(),
            r.config(),
            SnapshotRecord.Phase.CREATED,
            0,
            r.storage(),
            r.bootId(),
            Optional.empty(),
            r.pauseNanos(),
            Optional.empty(),
            parts));
    for (String device : devices) {
      store.clearPart(r.id(), device);
    }
    become(found.snapshot, new Snapshot.View(Snapshot.State.CREATED, named, r.pauseNanos()));
    context.log().info("snapshot " + found.snapshot.name() + ": its take is undone");
    return Optional.of(found.snapshot);
  }
}
