package blksnap.snapshot;

import blksnap.device.Course;
import blksnap.diffarea.AreaChain;
import blksnap.diffarea.DiffArea;
import blksnap.diffstorage.DiffStorage;
import blksnap.diffstorage.StorageListener;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.error.NearMiss;
import blksnap.eventqueue.Event;
import blksnap.eventqueue.EventQueue;
import blksnap.flight.Flight;
import blksnap.flight.SpaceLevel;
import blksnap.flight.TakeEvent;
import blksnap.linux.Machine;
import blksnap.sector.SectorRange;
import blksnap.tracker.TrackedDevice;
import blksnap.tracker.TrackerTable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongConsumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Every snapshot of the engine. Locks, in the order they are taken: {@link #membershipLock}, a
 * snapshot's lock, {@link #chainLock}, write gates in the order of device names.
 */
public final class SnapshotTable {
  /** Most snapshots at a time. */
  static final int MAX_SNAPSHOTS = 1_024;

  private final SnapshotContext context;
  private final SnapshotStore store;
  private final PartFactory factory;
  private final Map<UUID, Snapshot> snapshots = new ConcurrentHashMap<>();
  private final AtomicLong sequence = new AtomicLong();

  /** Those of an earlier engine; written by recovery alone. */
  private final Set<UUID> foundAgain = ConcurrentHashMap.newKeySet();

  /**
   * Excludes create, add and detach from each other, so that a device in a snapshot stays attached.
   */
  private final ReentrantLock membershipLock = new ReentrantLock();

  /** Excludes takes and destroys from each other: they change the chains of devices. */
  private final ReentrantLock chainLock = new ReentrantLock();

  public SnapshotTable(SnapshotContext context) {
    this.context = context;
    this.store = new SnapshotStore(context.directory(), context.log());
    this.factory = new PartFactory(context, store);
  }

  /** Finds the snapshots of an earlier engine again; the devices must be attached by now. */
  public void recover() throws IOException {
    store.makeDirectories();
    context
        .trackers()
        .tellDangers((device, cause) -> {
          for (Snapshot snapshot : holding(device)) {
            snapshot.events().post(new Event.MapAtRisk(device, cause));
          }
        });
    chainLock.lock();
    try {
      var recovery = new SnapshotRecovery(context, store, factory, this::listener, this::events);
      for (Snapshot snapshot : recovery.run()) {
        snapshots.put(snapshot.id(), snapshot);
        foundAgain.add(snapshot.id());
      }
      sequence.set(recovery.highestSequence());
      removeUnusedStorages();
    } finally {
      chainLock.unlock();
    }
  }

  private EventQueue events() {
    return new EventQueue(context.nanoClock());
  }

  private StorageListener listener(String name, EventQueue events) {
    return new StorageListener() {
      @Override
      public void low(long requestedSectors) {
        context
            .log()
            .warning(
                "snapshot "
                    + name
                    + ": diff storage is low, "
                    + requestedSectors
                    + " sectors more would help");
        Flight.lowSpace(name, SpaceLevel.LOW, 0);
        events.post(new Event.LowFreeSpace(requestedSectors));
      }

      @Override
      public void full(long requestedSectors) {
        context.log().error("snapshot " + name + ": diff storage is full");
        Flight.lowSpace(name, SpaceLevel.FULL, 0);
        events.post(new Event.NoSpace(requestedSectors));
      }

      @Override
      public void fullSoon(long seconds) {
        context
            .log()
            .warning(
                "snapshot "
                    + name
                    + ": at the present rate diff storage is full in "
                    + minutes(seconds));
        Flight.lowSpace(name, SpaceLevel.SOON, seconds);
        events.post(new Event.FullSoon(seconds));
      }
    };
  }

  private static String minutes(long seconds) {
    return seconds < 120 ? seconds + " seconds" : seconds / 60 + " minutes";
  }

  /**
   * Looks what others did to the files of diff storages, and tells it, once, in the log and by an
   * event; what was cut off makes the areas that need it corrupt, rather than at some later read.
   * Done every few seconds.
   */
  public void lookAtStorages() {
    for (DiffStorage storage : context.storages().all()) {
      List<DiffStorage.Cut> cuts = storage.look(what -> tellTrouble(storage, what));
      if (!cuts.isEmpty()) {
        for (TrackerTable.Attached device : context.trackers().all()) {
          for (DiffStorage.Cut cut : cuts) {
            device
                .device()
                .chain()
                .lose(location -> cut.took(storage.number(), location), cut.sentence());
          }
        }
      }
    }
  }

  private void tellTrouble(DiffStorage storage, String what) {
    List<Snapshot> users = users(storage);
    String names =
        users.isEmpty() ? "gone" : String.join(", ", users.stream().map(Snapshot::name).toList());
    context.log().error("snapshot " + names + ": " + what);
    users.forEach(snapshot -> snapshot.events().post(new Event.StorageTrouble(what)));
  }

  /** The snapshot that a storage was made for; those that need its blocks when that is gone. */
  private List<Snapshot> users(DiffStorage storage) {
    Snapshot owner = snapshots.get(storage.snapshot());
    return owner != null
        ? List.of(owner)
        : all().stream().filter(other -> other.hasBlocksIn(storage)).toList();
  }

  /**
   * Makes a snapshot, not yet taken.
   *
   * @param storagePath absolute
   * @throws BlkSnapException {@code EINVAL} for no device, one named twice, or a bad name; {@code
   *     ENODEV} for an unknown one; {@code EEXIST} when the name is taken; what making the storage
   *     says. Nothing is left then
   */
  public Snapshot create(
      List<String> devices, Path storagePath, OptionalLong limitBytes, SnapshotConfig config)
      throws IOException {
    return create(
        devices,
        config,
        (id, listener) ->
            context.storages().create(id, storagePath, limitBytes, listener, store.keeper()));
  }

  /**
   * The same with a storage that has no room: it cannot be taken before some is appended, and an
   * event asks for it at once.
   */
  public Snapshot createWithoutStorage(List<String> devices, SnapshotConfig config)
      throws IOException {
    return create(devices, config, context.storages()::createEmpty);
  }

  private interface StorageMaker {
    DiffStorage make(UUID snapshot, StorageListener listener) throws IOException;
  }

  private Snapshot create(List<String> devices, SnapshotConfig config, StorageMaker maker)
      throws IOException {
    membershipLock.lock();
    try {
      check(devices, config);
      return make(devices, config, maker);
    } finally {
      membershipLock.unlock();
    }
  }

  private Snapshot make(List<String> devices, SnapshotConfig config, StorageMaker maker)
      throws IOException {
    UUID id = UUID.randomUUID();
    EventQueue events = events();
    String name = config.name().isEmpty() ? id.toString() : config.name();
    try {
      DiffStorage storage = maker.make(id, listener(name, events));
      List<SnapshotPart> parts = new ArrayList<>();
      devices.forEach(device -> parts.add(new SnapshotPart.Named(device)));
      var view = new Snapshot.View(Snapshot.State.CREATED, parts, OptionalLong.empty());
      var snapshot = new Snapshot(id, config, storage, events, view);
      boolean saved = false;
      try {
        store.save(
            record(snapshot, snapshot.view(), SnapshotRecord.Phase.CREATED, 0, named(parts)));
        saved = true;
      } finally {
        if (!saved) {
          storage.disown();
          removeUnusedStorages();
          store.forget(id);
          store.clear(id);
        }
      }
      snapshots.put(id, snapshot);
      context.log().info("snapshot " + name + ": created for " + String.join(", ", devices));
      return snapshot;
    } catch (IOException e) {
      context.log().warning("snapshot " + name + ": not created: " + e.getMessage());
      throw e;
    }
  }

  private void check(List<String> devices, SnapshotConfig config) throws BlkSnapException {
    if (devices.isEmpty()) {
      throw new BlkSnapException(Errno.EINVAL, "a snapshot needs at least one device");
    }
    var seen = new HashSet<String>();
    for (String device : devices) {
      context.trackers().find(device);
      if (!seen.add(device)) {
        throw new BlkSnapException(Errno.EINVAL, "device '" + device + "' is named twice");
      }
    }
    String name = config.name();
    if (!name.isEmpty() && !TrackerTable.NAME.matcher(name).matches()) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "'"
              + name
              + "' cannot name a snapshot: 1 to 64 letters, digits, '.', '_' or '-', the first"
              + " a letter or digit");
    }
    for (Snapshot other : snapshots.values()) {
      if (other.name().equals(name) || other.id().toString().equals(name)) {
        throw new BlkSnapException(Errno.EEXIST, "snapshot name '" + name + "' is taken");
      }
    }
    if (snapshots.size() == MAX_SNAPSHOTS) {
      throw new BlkSnapException(
          Errno.ENOSPC, "there are " + MAX_SNAPSHOTS + " snapshots, the most there can be");
    }
  }

  private static List<SnapshotRecord.Part> named(List<SnapshotPart> parts) {
    return parts.stream()
        .map(part -> new SnapshotRecord.Part(part.device(), Optional.empty()))
        .toList();
  }

  private SnapshotRecord record(
      Snapshot snapshot,
      Snapshot.View view,
      SnapshotRecord.Phase phase,
      long sequence,
      List<SnapshotRecord.Part> parts)
      throws BlkSnapException {
    return new SnapshotRecord(
        snapshot.id(),
        snapshot.config(),
        phase,
        sequence,
        snapshot.storage().number(),
        Machine.of(context.directory()).bootId(),
        view.takenAt(),
        view.pauseNanos(),
        view.consistency(),
        parts);
  }

  /** Every snapshot, by name. */
  public List<Snapshot> all() {
    List<Snapshot> all = new ArrayList<>(snapshots.values());
    all.sort((a, b) -> a.name().compareTo(b.name()));
    return all;
  }

  /**
   * The snapshot with this name or UUID.
   *
   * @throws BlkSnapException {@code ESRCH} when there is none
   */
  public Snapshot find(String nameOrId) throws BlkSnapException {
    return lookup(nameOrId).orElseThrow(() -> unknown(nameOrId));
  }

  private BlkSnapException unknown(String nameOrId) {
    var refusal = new BlkSnapException(Errno.ESRCH, "there is no snapshot '" + nameOrId + "'");
    return hint(nameOrId).map(refusal::withHint).orElse(refusal);
  }

  /** Which snapshot was probably meant by a name that is none. */
  public Optional<String> hint(String name) {
    return NearMiss.hint(name, all().stream().map(Snapshot::name).toList());
  }

  public Optional<Snapshot> lookup(String nameOrId) {
    return snapshots.values().stream()
        .filter(s -> s.name().equals(nameOrId) || s.id().toString().equals(nameOrId))
        .findFirst();
  }

  /** The snapshots that name the device, created or taken. */
  public List<Snapshot> holding(String device) {
    return all().stream().filter(s -> s.part(device).isPresent()).toList();
  }

  /** Does something that needs a device to be in no snapshot, such as detaching it. */
  public void whileNotHeld(String device, Detaching action) throws IOException {
    membershipLock.lock();
    try {
      List<Snapshot> holders = holding(device);
      if (!holders.isEmpty()) {
        throw new BlkSnapException(
                Errno.EBUSY,
                "device "
                    + device
                    + " is held by snapshot "
                    + String.join(", ", holders.stream().map(Snapshot::name).toList()))
            .withHint("destroy it first: blksnap snapshot destroy " + holders.getFirst().name());
      }
      action.run();
    } finally {
      membershipLock.unlock();
    }
  }

  /** What is done while a device is in no snapshot. */
  public interface Detaching {
    void run() throws IOException;
  }

  /**
   * Adds a device to a snapshot that is not taken yet.
   *
   * @throws BlkSnapException {@code ENODEV} for an unknown device, {@code EALREADY} when it is in
   *     it, or when the snapshot is taken
   */
  public void add(Snapshot snapshot, String device) throws IOException {
    membershipLock.lock();
    snapshot.lock().lock();
    try {
      snapshot.require(Snapshot.State.CREATED);
      context.trackers().find(device);
      if (snapshot.part(device).isPresent()) {
        throw new BlkSnapException(
            Errno.EALREADY,
            "device '" + device + "' is in snapshot " + snapshot.name() + " already");
      }
      List<SnapshotPart> parts = new ArrayList<>(snapshot.view().parts());
      parts.add(new SnapshotPart.Named(device));
      store.save(record(snapshot, snapshot.view(), SnapshotRecord.Phase.CREATED, 0, named(parts)));
      snapshot.add(device);
    } finally {
      snapshot.lock().unlock();
      membershipLock.unlock();
    }
  }

  /**
   * Changes how fast its images may be read and written, now and after a restart. Waits for a take.
   *
   * @param change what becomes of the present limit
   */
  public void limitImages(Snapshot snapshot, UnaryOperator<ImageLimit> change) throws IOException {
    snapshot.lock().lock();
    try {
      if (snapshot.view().state() == Snapshot.State.DESTROYED) {
        snapshot.require(Snapshot.State.TAKEN);
      }
      ImageLimit next = change.apply(snapshot.config().imageLimit());
      store.save(store.record(snapshot.id()).withLimit(next));
      snapshot.limit(next);
    } finally {
      snapshot.lock().unlock();
    }
  }

  /**
   * Gives a snapshot more storage; see {@link DiffStorage#append}. Writers that wait for room go
   * on.
   */
  public void appendStorage(Snapshot snapshot, Path path, List<SectorRange> parts)
      throws IOException {
    snapshot.lock().lock();
    try {
      if (snapshot.view().state() == Snapshot.State.DESTROYED) {
        snapshot.require(Snapshot.State.TAKEN);
      }
      context.storages().append(snapshot.storage(), path, parts, store.keeper());
    } finally {
      snapshot.lock().unlock();
    }
  }

  /**
   * Takes a snapshot: from one instant on, the same for all its devices, its images show them as
   * they were.
   *
   * @throws BlkSnapException {@code EALREADY} when it is taken already, what the state directory
   *     says. It then is as before and can be taken later
   */
  public void take(Snapshot snapshot) throws IOException {
    take(snapshot, TakeHooks.NONE, TakeSurroundings.NONE);
  }

  /**
   * Takes a snapshot while file systems rest and between two commands.
   *
   * @return what the user should know, though the snapshot is taken
   * @throws BlkSnapException also {@code EINVAL} for hooks that cannot be, and what freezing and
   *     the first command say, unless best effort is enough. The second command was run then, if
   *     the first one was, and nothing is frozen
   */
  public List<String> take(Snapshot snapshot, TakeHooks hooks, TakeSurroundings surroundings)
      throws IOException {
    var quiescence = new Quiescence(context, snapshot, hooks, surroundings);
    List<String> warnings = List.of();
    boolean begun = false;
    try {
      snapshot.lock().lock();
      try {
        snapshot.require(Snapshot.State.CREATED);
        requireStorage(snapshot);
        quiescence.check();
        begun = true;
        chainLock.lock();
        try {
          takeLocked(snapshot, quiescence);
        } catch (IOException e) {
          context.log().warning("snapshot " + snapshot.name() + ": not taken: " + e.getMessage());
          throw e;
        } finally {
          chainLock.unlock();
        }
      } finally {
        snapshot.lock().unlock();
      }
    } finally {
      if (begun) {
        warnings = quiescence.after(snapshot.view().consistency()); // holds nobody up
      }
    }
    return warnings;
  }

  private static void requireStorage(Snapshot snapshot) throws BlkSnapException {
    if (snapshot.storage().isEmpty()) {
      throw new BlkSnapException(
              Errno.ENOSPC, "snapshot " + snapshot.name() + " has no storage yet")
          .withHint("give it some: blksnap snapshot append-storage " + snapshot.name() + " PATH");
    }
  }

  private void takeLocked(Snapshot snapshot, Quiescence quiescence) throws IOException {
    List<TrackedDevice> devices = new ArrayList<>();
    for (SnapshotPart part : snapshot.view().parts()) {
      devices.add(context.trackers().find(part.device()).device());
    }
    TakeEvent event = Flight.take();
    long number = sequence.incrementAndGet();
    var take = new SnapshotTake(context, store, snapshot, factory);
    take.prepare(devices);
    boolean frozen = false;
    boolean taken = false;
    long pauseNanos = 0;
    try {
      quiescence.before();
      // Remembered first: what the areas preserve from the instant on, older snapshots need as
      // well.
      store.save(
          record(snapshot, snapshot.view(), SnapshotRecord.Phase.TAKING, number, take.parts()));
      take.copyAhead();
      Consistency consistency;
      try {
        quiescence.freeze();
        pauseNanos = take.freeze();
        frozen = true;
        consistency = quiescence.thaw(); // before anything that is slow
      } finally {
        quiescence.release();
      }
      take.force();
      List<SnapshotPart> parts = new ArrayList<>();
      for (SnapshotTake.Prepared p : take.prepared()) {
        parts.add(factory.part(p.device, p.diffArea, p.frozen));
      }
      var view =
          new Snapshot.View(
              Snapshot.State.TAKEN,
              parts,
              Optional.of(context.wallClock().instant()),
              OptionalLong.of(pauseNanos),
              Optional.of(consistency));
      store.save(record(snapshot, view, SnapshotRecord.Phase.TAKEN, number, take.parts()));
      snapshot.become(view);
      taken = true;
      context
          .log()
          .info(
              "snapshot "
                  + snapshot.name()
                  + ": taken, writers were held for "
                  + pauseNanos / 1_000
                  + " us, "
                  + consistency.word());
    } finally {
      if (!taken) {
        undo(snapshot, take, frozen);
      }
      if (event != null) {
        event.finish(snapshot.name(), devices.size(), pauseNanos, taken);
      }
    }
  }

  private void undo(Snapshot snapshot, SnapshotTake take, boolean frozen) throws IOException {
    if (frozen) {
      for (SnapshotTake.Prepared p : take.prepared()) {
        AreaChain.releaseAfter(p.diffArea, dissolve(p.device, p.diffArea));
      }
    }
    store.save(
        record(
            snapshot,
            snapshot.view(),
            SnapshotRecord.Phase.CREATED,
            0,
            named(snapshot.view().parts())));
    take.discard(); // after the record: a restart does not look for the files of a created snapshot
  }

  /**
   * Takes an area out of its chain; its older neighbour gets what it lacks. What nobody needs is
   * still to be released.
   *
   * @return the older neighbour, or null
   */
  static @Nullable DiffArea dissolve(TrackedDevice device, DiffArea area) {
    return dissolve(device, area, handed -> {});
  }

  private static @Nullable DiffArea dissolve(
      TrackedDevice device, DiffArea area, LongConsumer handed) {
    AreaChain chain = device.chain();
    area.condemn();
    device.gate().close();
    try {
      chain.retire(area);
    } finally {
      device.gate().open();
    }
    chain.handDown(area, handed);
    @Nullable DiffArea older;
    device.gate().close();
    try {
      older = chain.olderThan(area);
      chain.unlink(area);
    } finally {
      device.gate().open();
    }
    return older;
  }

  /**
   * Destroys a snapshot in any state. Its images fail from now on; blocks that older snapshots need
   * go to them. Works on storage that is broken, full or read-only.
   */
  public void destroy(Snapshot snapshot) throws IOException {
    destroy(snapshot, Course.UNWATCHED);
  }

  /** The same, watched; nothing ends it. */
  public void destroy(Snapshot snapshot, Course course) throws IOException {
    snapshot.lock().lock();
    try {
      if (snapshot.view().state() == Snapshot.State.DESTROYED) {
        snapshot.require(Snapshot.State.TAKEN);
      }
      chainLock.lock();
      try {
        destroyLocked(snapshot, course);
      } finally {
        chainLock.unlock();
      }
    } finally {
      snapshot.lock().unlock();
    }
  }

  private void destroyLocked(Snapshot snapshot, Course course) throws IOException {
    List<SnapshotPart.Taken> taken = new ArrayList<>();
    for (SnapshotPart part : snapshot.view().parts()) {
      if (part instanceof SnapshotPart.Taken t) {
        t.image().close();
        taken.add(t);
      }
    }
    long total = taken.stream().mapToLong(part -> part.area().blocksStored()).sum();
    long done = 0;
    Map<DiffArea, Optional<DiffArea>> dissolved = new LinkedHashMap<>();
    for (SnapshotPart.Taken part : taken) {
      TrackedDevice device = context.trackers().find(part.device()).device();
      if (device.chain().contains(part.area())) { // a destroy that failed may have come past it
        long before = done;
        LongConsumer handed = blocks -> tell(course, before + blocks, total);
        dissolved.put(part.area(), Optional.ofNullable(dissolve(device, part.area(), handed)));
        done += part.area().blocksStored();
      }
      device.leave(part.frozen());
      part.frozen().close();
    }
    for (SnapshotPart part : snapshot.view().parts()) {
      if (part instanceof SnapshotPart.Lost) {
        context.trackers().breakContent(part.device());
      }
    }
    snapshot.become(new Snapshot.View(Snapshot.State.DESTROYED, List.of(), OptionalLong.empty()));
    snapshots.remove(snapshot.id());
    snapshot.events().close();
    snapshot.storage().disown();
    dissolved.forEach((area, older) -> AreaChain.releaseAfter(area, older.orElse(null)));
    IOException failure = null;
    try {
      store.forget(snapshot.id());
    } catch (IOException e) {
      failure = e;
    }
    for (SnapshotPart.Taken part : taken) {
      part.area().close();
    }
    if (failure == null) {
      try {
        store.clear(snapshot.id());
      } catch (IOException e) {
        failure = e;
      }
    }
    removeUnusedStorages();
    context.log().info("snapshot " + snapshot.name() + ": destroyed");
    if (failure != null) {
      throw new BlkSnapException(
          Errno.EIO,
          "snapshot "
              + snapshot.name()
              + " is destroyed, but its files could not be removed: "
              + failure.getMessage(),
          failure);
    }
  }

  private void tell(Course course, long done, long total) {
    try {
      course.at("handing down blocks", Math.min(done, total), total);
    } catch (BlkSnapException e) {
      // A destroy that was begun cannot be taken back, so it goes on.
      context.log().debug("a destroy goes on: " + e.sentence());
    }
  }

  private void removeUnusedStorages() {
    context
        .storages()
        .removeUnused(
            store.keeper(),
            e -> context.log().warning("diff storage could not be removed: " + e.getMessage()));
  }

  /**
   * Destroys every snapshot; goes on when one fails.
   *
   * @param found also those of an earlier engine; else they are only closed, for the next load to
   *     find
   */
  public void destroyAll(boolean found) {
    for (Snapshot snapshot : all()) {
      if (!found && foundAgain.contains(snapshot.id())) {
        continue;
      }
      try {
        destroy(snapshot);
      } catch (IOException e) {
        context.log().error("snapshot " + snapshot.name() + ": " + e.getMessage());
      }
    }
  }

  /** Closes what is still there without destroying it; nobody may use a device any more. */
  public void leaveAll() {
    for (Snapshot snapshot : all()) {
      for (SnapshotPart part : snapshot.view().parts()) {
        if (part instanceof SnapshotPart.Taken taken) {
          taken.image().close();
          taken.frozen().close();
          taken.area().close();
        }
      }
      snapshot.events().close();
    }
    for (DiffStorage storage : context.storages().all()) {
      try {
        storage.close();
      } catch (IOException e) {
        context.log().warning("diff storage was not closed: " + e.getMessage());
      }
    }
    snapshots.clear();
  }
}
