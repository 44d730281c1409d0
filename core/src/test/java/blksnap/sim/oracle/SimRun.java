package blksnap.sim.oracle;

import blksnap.cbt.ChangedRanges;
import blksnap.cbt.IntervalNumbers;
import blksnap.device.BlockDevice;
import blksnap.diffarea.AreaProbe;
import blksnap.diffarea.FullPolicy;
import blksnap.diffstorage.DiffStorage;
import blksnap.diffstorage.Location;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import blksnap.param.Parameter;
import blksnap.param.Parameters;
import blksnap.sector.ByteRange;
import blksnap.sim.machine.Faults;
import blksnap.sim.machine.FileClass;
import blksnap.sim.machine.SimMachine;
import blksnap.sim.machine.SimScheduler;
import blksnap.snapshot.Durability;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotConfig;
import blksnap.snapshot.SnapshotPart;
import blksnap.tracker.TrackedDevice;
import blksnap.tracker.TrackerTable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * One run of one seed: several engines, one after the other, on one simulated machine, each ended
 * by a kill, a power cut or an unload; clients that use them; and the oracle that looks at all of
 * it.
 */
public final class SimRun {
  private static final int SECTOR = Stamps.SECTOR;
  private static final int LOT_SECTORS = 32;
  private static final int WRITERS = 2;

  /** More than all blocks of all disks, written to several times. */
  private static final long MORE_BYTES = 16 << 20;

  /** What may happen in a run. */
  enum Weather {
    /** Only kills and cuts: nothing may break that is not meant to. */
    FAIR,
    /** Diff storage runs full. */
    TIGHT,
    /** Calls fail. */
    FOUL
  }

  private enum End {
    KILL,
    CUT,
    UNLOAD,
    UNLOAD_AND_CUT
  }

  private final SplittableRandom random;
  private final SimMachine machine;
  private final Faults faults;
  private final Weather weather;
  private final Clock clock = new Clock();
  private final Map<String, DiskModel> disks = new LinkedHashMap<>();
  private final Map<String, SnapshotModel> snapshots = new LinkedHashMap<>();
  private final List<TakeModel> takes = new ArrayList<>();
  private final Set<String> numbersGiven = new HashSet<>();
  private final Map<String, UUID> generations = new HashMap<>();
  private final Parameters parameters = new Parameters();
  private final StringBuilder story = new StringBuilder();
  private @Nullable SimEngine engine;
  private @Nullable Throwable failure;
  private boolean marksLost;
  private long stamps;
  private int names;

  public SimRun(long seed) {
    this.random = new SplittableRandom(seed);
    int dice = random.nextInt(10);
    this.weather = dice < 6 ? Weather.FAIR : dice < 7 ? Weather.TIGHT : Weather.FOUL;
    this.faults = faults();
    this.machine =
        new SimMachine(
            random.split(),
            random.nextBoolean() ? SimMachine.Entries.JOURNAL : SimMachine.Entries.LOOSE,
            faults);
    machine.onFault(fault -> tell(fault + " for " + Thread.currentThread().getName()));
    parameters.set(Parameter.CHUNK_MINIMUM_SHIFT, 12 + random.nextInt(4));
    parameters.set(Parameter.TRACKING_BLOCK_MINIMUM_SHIFT, 12);
    parameters.set(Parameter.DIFF_STORAGE_MINIMUM, 2_048);
    parameters.set(Parameter.WRITE_INTENT_REGION_SHIFT, DiskModel.REGION_SHIFT);
    for (String directory : List.of("/state", "/storage", "/disks", "/more")) {
      machine.makeDirectory(directory);
    }
    disk("vm1", 40 * 8 + 3);
    if (random.nextBoolean()) {
      disk("vm2", 16 + 8 * random.nextInt(30));
    }
  }

  private Faults faults() {
    if (weather != Weather.FOUL) {
      Faults none = Faults.none();
      return random.nextInt(4) == 0 ? none.withShortTransfers() : none;
    }
    FileClass[] classes = {FileClass.STATE, FileClass.STORAGE, FileClass.DISK};
    int dice = random.nextInt(5);
    if (dice == 4) {
      return Faults.none().withLostPages();
    }
    return new Faults(10 + random.nextInt(150), dice == 3 ? null : classes[dice])
        .withShortTransfers();
  }

  private void disk(String name, int sectors) {
    machine.makeFile("/disks/" + name + ".img", (long) sectors * SECTOR);
    disks.put(name, new DiskModel(name, sectors, clock));
  }

  /** Equal for two runs of one seed. */
  public long trace() {
    return machine.trace();
  }

  /** What happened, a line each. */
  public String story() {
    return story.toString();
  }

  private void tell(String line) {
    story.append(clock.now()).append(' ').append(line).append('\n');
  }

  /** Runs it. */
  public void run() {
    tell(weather + " weather");
    int lives = 2 + random.nextInt(4);
    for (int life = 0; life < lives; life++) {
      live(life == lives - 1);
    }
  }

  // ---- one life of the engine

  private void live(boolean last) {
    End end = End.values()[random.nextInt(10) < 8 ? random.nextInt(2) : 2 + random.nextInt(2)];
    var scheduler = new SimScheduler(random.split());
    boolean early = !last && random.nextInt(4) != 0 && (end == End.KILL || end == End.CUT);
    long stopAt =
        early ? machine.calls() + (1L << random.nextInt(11)) + random.nextInt(50) : Long.MAX_VALUE;
    machine.onCall(() -> {
      if (machine.calls() >= stopAt && !scheduler.isStopped()) {
        tell("stopped in a call of " + Thread.currentThread().getName());
        scheduler.stop();
      }
      if (scheduler.isStopped()) {
        SimScheduler.giveWay(); // and never goes on
      }
    });
    engine = null;
    start(
        scheduler,
        "engine",
        () -> {
          machine.quiet(false);
          faults.pause(true);
          SimEngine loaded = SimEngine.load(machine, parameters);
          for (DiskModel disk : disks.values()) {
            if (loaded.trackers.lookup(disk.name).isEmpty()) {
              loaded.trackers.attach(
                  machine.path("/disks/" + disk.name + ".img"),
                  Optional.of(disk.name),
                  false,
                  false);
            }
          }
          machine.quiet(true);
          engine = loaded;
          checkFound();
          check();
          machine.quiet(false);
          faults.pause(false);
          startClients(scheduler);
        });
    runOut(scheduler);
    if (!scheduler.isStopped() || scheduler.living() == 0) {
      machine.onCall(() -> {});
      var afterwards = new SimScheduler(random.split());
      boolean unload = end == End.UNLOAD || end == End.UNLOAD_AND_CUT;
      start(
          afterwards,
          "end",
          () -> {
            machine.quiet(true);
            faults.pause(true);
            check();
            if (unload) {
              unload();
            }
          });
      runOut(afterwards);
    }
    machine.quiet(true);
    over(end);
  }

  private interface Body {
    void run() throws IOException;
  }

  private void start(SimScheduler scheduler, String name, Body body) {
    scheduler.start(
        name,
        () -> {
          try {
            body.run();
          } catch (IOException | RuntimeException | Error e) {
            if (failure == null) {
              failure = e;
            }
            scheduler.stop();
          }
        });
  }

  private void runOut(SimScheduler scheduler) {
    scheduler.run();
    if (failure != null) {
      throw new Violation(String.valueOf(failure.getMessage()), failure);
    }
  }

  private SimEngine engine() {
    return Objects.requireNonNull(engine);
  }

  private void unload() throws IOException {
    boolean destroy = random.nextBoolean();
    long start = clock.tick();
    tell("unload" + (destroy ? ", snapshots are released" : ""));
    try {
      engine().unload(destroy);
    } catch (IOException e) {
      if (faults.injected() == 0) {
        throw e;
      }
      tell("unload failed: " + e.getMessage());
      return;
    }
    if (destroy) {
      if (faults.injected() == 0) {
        snapshots.clear();
      } else {
        snapshots.values().forEach(s -> s.state = SnapshotModel.State.DESTROYING);
      }
    }
    disks.values().forEach(disk -> flushed(disk, start));
  }

  /** The engine is gone, one way or the other. */
  private void over(End end) {
    boolean cut = end == End.CUT || end == End.UNLOAD_AND_CUT;
    tell("end of a life: " + end);
    takes.forEach(take -> {
      if (take.isUnderWay()) {
        take.end(clock);
      }
    });
    if (cut) {
      // A state directory that fails to sync is told of, and a power loss may then take marks.
      marksLost |= faults.syncsOfState() > 0;
      machine.cut();
    } else {
      machine.kill();
    }
    for (DiskModel disk : disks.values()) {
      long[] found = raw(disk, 0, disk.sectors);
      if (cut) {
        disk.cut(found);
      } else {
        disk.killed(found);
      }
    }
    for (SnapshotModel snapshot : snapshots.values()) {
      snapshot.busy = false;
      if (cut && snapshot.durability != Durability.POWER) {
        snapshot.mayBreak = true;
      }
    }
  }

  private long[] raw(DiskModel disk, int first, int count) {
    byte[] bytes = machine.content("/disks/" + disk.name + ".img");
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    long[] found = new long[count];
    for (int i = 0; i < count; i++) {
      found[i] = Stamps.read(buffer, first + i, "disk " + disk.name);
    }
    return found;
  }

  // ---- clients

  private void startClients(SimScheduler scheduler) {
    for (int i = 0; i < WRITERS; i++) {
      int writer = i;
      start(
          scheduler,
          "writer" + i,
          () -> {
            int count = random.nextInt(30);
            for (int n = 0; n < count; n++) {
              changeDisk(writer);
            }
          });
    }
    for (int i = 0; i < 2; i++) {
      start(
          scheduler,
          "operator" + i,
          () -> {
            int count = random.nextInt(10);
            for (int n = 0; n < count; n++) {
              operate();
            }
          });
    }
    start(
        scheduler,
        "viewer",
        () -> {
          int count = random.nextInt(20);
          for (int n = 0; n < count; n++) {
            view();
          }
        });
    start(
        scheduler,
        "checkpoints",
        () -> {
          int count = random.nextInt(12);
          for (int n = 0; n < count; n++) {
            for (int i = random.nextInt(20); i > 0; i--) {
              SimScheduler.giveWay();
            }
            engine().trackers.checkpoint();
          }
        });
  }

  private <T> T any(List<T> list) {
    return list.get(random.nextInt(list.size()));
  }

  private TrackedDevice device(DiskModel disk) throws BlkSnapException {
    return engine().trackers.find(disk.name).device();
  }

  private void changeDisk(int writer) throws IOException {
    DiskModel disk = any(List.copyOf(disks.values()));
    TrackedDevice device = device(disk);
    int dice = random.nextInt(10);
    if (dice == 0) {
      flush(disk, device);
      return;
    }
    int lots = (disk.sectors + LOT_SECTORS - 1) / LOT_SECTORS;
    int lot = random.nextInt((lots + WRITERS - 1) / WRITERS) * WRITERS + writer;
    if (lot >= lots) {
      return;
    }
    int lotSectors = Math.min(LOT_SECTORS, disk.sectors - lot * LOT_SECTORS);
    int first = random.nextInt(lotSectors);
    int count = 1 + random.nextInt(lotSectors - first);
    if (random.nextBoolean()) { // whole blocks
      first = first / 8 * 8;
      count = Math.min(lotSectors - first, (count + 7) / 8 * 8);
    }
    first += lot * LOT_SECTORS;
    boolean zeroes = dice == 1 || dice == 2;
    long value = zeroes ? 0 : ++stamps;
    long offset = (long) first * SECTOR;
    long length = (long) count * SECTOR;
    long faultsBefore = faults.onDisk();
    tell("write " + disk.name + " " + first + "+" + count + " = " + value);
    Version version = disk.begin(first, count, value);
    try {
      if (dice == 1) {
        device.discard(offset, length);
      } else if (zeroes) {
        device.writeZeroes(offset, length, random.nextBoolean());
      } else {
        device.write(offset, Stamps.filled(value, count));
      }
      disk.end(version, first, count);
    } catch (IOException e) {
      tell("write " + disk.name + " " + first + "+" + count + " failed: " + e.getMessage());
      if (faults.onDisk() == faultsBefore) {
        throw new Violation("a write failed, and not by its disk", e);
      }
      disk.failed(version, first, raw(disk, first, count));
    }
    if (dice == 3) {
      flush(disk, device); // forced unit access
    }
  }

  private void flush(DiskModel disk, TrackedDevice device) throws IOException {
    long start = clock.tick();
    try {
      device.flush();
      tell("flushed " + disk.name);
      flushed(disk, start);
    } catch (IOException e) {
      if (faults.onDisk() == 0) {
        throw new Violation("a flush failed, and not by its disk", e);
      }
    }
  }

  /** After a sync that failed the kernel knows nothing any more of what it lost. */
  private void flushed(DiskModel disk, long start) {
    if (faults.syncsOfDisk() > 0) {
      disk.flushFailed();
    }
    disk.flushed(start);
  }

  private void operate() throws IOException {
    List<SnapshotModel> idle = snapshots.values().stream().filter(s -> !s.busy).toList();
    int dice = random.nextInt(10);
    if (idle.isEmpty() || (dice < 4 && snapshots.size() < 5)) {
      create();
      return;
    }
    SnapshotModel snapshot = any(idle);
    snapshot.busy = true;
    if (snapshot.state == SnapshotModel.State.CREATED && !snapshot.small && dice < 9) {
      take(snapshot);
    } else if (snapshot.state == SnapshotModel.State.TAKEN && dice < 5) {
      map(snapshot);
    } else {
      destroy(snapshot);
    }
    snapshot.busy = false;
  }

  private void excuse(String what, IOException e) {
    tell(what + " failed: " + e.getMessage());
    boolean full =
        weather == Weather.TIGHT && e instanceof BlkSnapException b && b.errno() == Errno.ENOSPC;
    if (faults.injected() == 0 && !full) {
      throw new Violation(what + " failed without a reason", e);
    }
  }

  private void create() {
    List<String> devices = new ArrayList<>(disks.keySet());
    if (devices.size() > 1 && random.nextBoolean()) {
      devices.remove(random.nextInt(devices.size()));
    }
    int dice = random.nextInt(10);
    Durability durability =
        dice < 1 ? Durability.NONE : dice < 5 ? Durability.PROCESS : Durability.POWER;
    var snapshot = new SnapshotModel("s" + names++, List.copyOf(devices), durability);
    snapshot.busy = true;
    snapshots.put(snapshot.name, snapshot);
    OptionalLong limit =
        weather == Weather.TIGHT
            ? OptionalLong.of((long) Location.BLOCK_BYTES * (8 + random.nextInt(24)))
            : OptionalLong.empty();
    if (weather != Weather.FAIR) {
      snapshot.mayBreak = true;
    }
    boolean append = weather == Weather.FAIR && random.nextInt(4) == 0;
    if (append) {
      limit = OptionalLong.of((long) Location.BLOCK_BYTES * 8);
      snapshot.small = true;
    }
    tell("create " + snapshot.name + " of " + devices + ", " + durability);
    try {
      Snapshot created =
          engine()
              .snapshots
              .create(
                  devices,
                  machine.path("/storage/" + snapshot.name + ".diff"),
                  limit,
                  new SnapshotConfig(snapshot.name, durability, FullPolicy.BREAK));
      snapshot.state = SnapshotModel.State.CREATED;
      tell("created " + snapshot.name);
      if (append) {
        String more = "/more/" + snapshot.name;
        machine.makeFile(more, MORE_BYTES);
        engine().snapshots.appendStorage(created, machine.path(more), List.of());
        snapshot.small = false;
        tell("appended to " + snapshot.name);
      }
    } catch (IOException e) {
      excuse("create of " + snapshot.name, e);
      snapshot.state = SnapshotModel.State.DESTROYING;
    }
    snapshot.busy = false;
  }

  private @Nullable Snapshot lookup(SnapshotModel snapshot) {
    return engine().snapshots.lookup(snapshot.name).orElse(null);
  }

  private void take(SnapshotModel model) {
    Snapshot snapshot = lookup(model);
    if (snapshot == null) {
      throw new Violation("snapshot " + model.name + " is gone");
    }
    beginTake(model);
    tell("take " + model.name);
    try {
      engine().snapshots.take(snapshot);
    } catch (IOException e) {
      excuse("take of " + model.name, e);
      boolean taken = snapshot.view().state() == Snapshot.State.TAKEN;
      if (!taken) {
        model
            .images
            .values()
            .forEach(image -> {
              image.take.end(clock);
              takes.remove(image.take);
            });
        model.images.clear();
        model.state = SnapshotModel.State.CREATED;
        return;
      }
    }
    tell("taken " + model.name);
    model.images.values().forEach(image -> image.take.end(clock));
    model.state = SnapshotModel.State.TAKEN;
    number(model, snapshot);
  }

  private void beginTake(SnapshotModel model) {
    model.state = SnapshotModel.State.TAKING;
    for (String device : model.devices) {
      var take = new TakeModel(Objects.requireNonNull(disks.get(device)), clock);
      takes.add(take);
      model.images.put(device, new ImageModel(take));
    }
  }

  /** Remembers the numbers of a take, which must be new. */
  private void number(SnapshotModel model, Snapshot snapshot) {
    for (Map.Entry<String, ImageModel> entry : model.images.entrySet()) {
      if (snapshot.part(entry.getKey()).orElseThrow() instanceof SnapshotPart.Taken taken) {
        IntervalNumbers numbers = taken.frozen().numbers();
        entry.getValue().take.numbered(numbers.sinceGeneration(), numbers.sinceNumber());
        String given =
            entry.getKey() + " " + numbers.sinceGeneration() + " " + numbers.sinceNumber();
        if (!numbersGiven.add(given)) {
          throw new Violation("two takes of " + given);
        }
      }
    }
  }

  private void destroy(SnapshotModel model) {
    Snapshot snapshot = lookup(model);
    model.state = SnapshotModel.State.DESTROYING;
    tell("destroy " + model.name);
    if (snapshot == null) {
      snapshots.remove(model.name);
      return;
    }
    try {
      engine().snapshots.destroy(snapshot);
      tell("destroyed " + model.name);
      snapshots.remove(model.name);
    } catch (IOException e) {
      excuse("destroy of " + model.name, e);
    }
  }

  /** Asks for the map frozen with a snapshot. */
  private void map(SnapshotModel model) {
    Snapshot snapshot = lookup(model);
    if (snapshot == null) {
      return;
    }
    for (Map.Entry<String, ImageModel> entry : model.images.entrySet()) {
      TakeModel until = entry.getValue().take;
      if (!(snapshot.part(entry.getKey()).orElseThrow() instanceof SnapshotPart.Taken taken)) {
        continue;
      }
      IntervalNumbers numbers = taken.frozen().numbers();
      for (TakeModel from : takes) {
        if (from.disk == until.disk
            && !from.disk.isUnreliable()
            && !marksLost
            && numbers.untilGeneration().equals(from.generation)
            && from.number < numbers.untilNumber()) {
          List<ByteRange> ranges;
          try {
            ranges = taken.frozen().changedSince(from.number, 0, 1000).ranges();
          } catch (IOException e) {
            mayFail(model, e);
            continue;
          }
          until.changedBetween(from, ranges, "map of " + model.name + " on " + from.disk.name);
        }
      }
    }
  }

  private void view() throws IOException {
    List<SnapshotModel> taken =
        snapshots.values().stream().filter(s -> s.state == SnapshotModel.State.TAKEN).toList();
    if (taken.isEmpty()) {
      SimScheduler.giveWay();
      return;
    }
    SnapshotModel model = any(taken);
    Snapshot snapshot = lookup(model);
    if (snapshot == null) {
      return;
    }
    String device = any(model.devices);
    ImageModel image = model.images.get(device);
    if (image == null || !(snapshot.part(device).orElse(null) instanceof SnapshotPart.Taken part)) {
      return;
    }
    int first = random.nextInt(image.take.disk.sectors);
    int count = 1 + random.nextInt(Math.min(64, image.take.disk.sectors - first));
    if (random.nextInt(4) == 0) {
      changeImage(model, part, image, first, count);
    } else {
      read(model, part, image, first, count);
    }
  }

  private void changeImage(
      SnapshotModel model, SnapshotPart.Taken part, ImageModel image, int first, int count) {
    boolean zeroes = random.nextInt(4) == 0;
    long value = zeroes ? 0 : ++stamps;
    image.begin(first, count, value);
    image.take.disk.touch(first, count);
    tell("write " + model.name + "@" + part.device() + " " + first + "+" + count + " = " + value);
    try {
      long offset = (long) first * SECTOR;
      if (zeroes) {
        part.image().writeZeroes(offset, (long) count * SECTOR, false);
      } else {
        part.image().write(offset, Stamps.filled(value, count));
      }
      image.end(first, count, value);
    } catch (IOException e) {
      mayFail(model, e);
      image.failed(first, count);
    }
    image.take.disk.touch(first, count);
  }

  private void mayFail(SnapshotModel model, IOException e) {
    if (!model.mayBreak
        && model.state != SnapshotModel.State.DESTROYING
        && snapshots.containsKey(model.name)) {
      throw new Violation(
          "the image of " + model.name + " fails, and nothing was to break it" + log(), e);
    }
  }

  private void read(
      SnapshotModel model, SnapshotPart.Taken part, ImageModel image, int first, int count)
      throws IOException {
    ByteBuffer buffer = ByteBuffer.allocateDirect(count * SECTOR);
    BlockDevice device = part.image();
    try {
      device.read((long) first * SECTOR, buffer);
    } catch (IOException e) {
      mayFail(model, e);
      return;
    }
    buffer.flip();
    String what = "image " + model.name + "@" + part.device();
    for (int i = 0; i < count && !image.take.disk.isUnreliable(); i++) {
      image.shows(first + i, Stamps.read(buffer, i, what), what);
    }
  }

  // ---- the oracle

  /** What an engine has found of those before it. */
  private void checkFound() {
    Set<String> expected = new HashSet<>();
    for (SnapshotModel model : List.copyOf(snapshots.values())) {
      Snapshot snapshot = lookup(model);
      Snapshot.State found = snapshot == null ? Snapshot.State.DESTROYED : snapshot.view().state();
      boolean memoryOnly = model.durability == Durability.NONE;
      boolean right =
          switch (model.state) {
            case CREATING -> found != Snapshot.State.TAKEN;
            case CREATED -> found == Snapshot.State.CREATED;
            case TAKING -> found != Snapshot.State.DESTROYED || memoryOnly;
            case TAKEN -> found == Snapshot.State.TAKEN || memoryOnly;
            case DESTROYING -> true;
          };
      if (!right && faults.injected() == 0) {
        throw new Violation("snapshot " + model.name + " was " + model.state + " and is " + found);
      }
      if (snapshot == null) {
        snapshots.remove(model.name);
        continue;
      }
      expected.add(model.name);
      if (model.state == SnapshotModel.State.DESTROYING) {
        model.mayBreak = true;
      }
      if (found == Snapshot.State.TAKEN) {
        if (model.state == SnapshotModel.State.TAKING) {
          number(model, snapshot);
        }
        model.state = SnapshotModel.State.TAKEN;
      } else {
        model.images.clear();
        model.state = SnapshotModel.State.CREATED;
      }
    }
    for (Snapshot snapshot : engine().snapshots.all()) {
      if (!expected.contains(snapshot.name()) && faults.injected() == 0) {
        throw new Violation("snapshot " + snapshot.name() + " came from nowhere");
      }
    }
    for (DiskModel disk : disks.values()) {
      UUID now;
      try {
        now = device(disk).readMap(map -> map.generation());
      } catch (BlkSnapException e) {
        throw new Violation("the map of " + disk.name + " cannot be read", e);
      }
      UUID before = generations.put(disk.name, now);
      if (before != null && !before.equals(now) && faults.injected() == 0) {
        throw new Violation("disk " + disk.name + " has a new generation: " + log());
      }
    }
    if (faults.injected() == 0) {
      checkFiles();
    }
  }

  private String log() {
    var text = new StringBuilder();
    for (LogRing.Line line : engine().log.since(0, LogRing.CAPACITY)) {
      text.append("\n    ").append(line);
    }
    return text.toString();
  }

  /** No file is there that nobody needs. */
  private void checkFiles() {
    Set<String> storages = new HashSet<>();
    Set<String> numbers = new HashSet<>();
    for (DiffStorage storage : engine().storages.all()) {
      numbers.add(Integer.toString(storage.number()));
      storage.describe().forEach(range -> storages.add(name(range.path())));
    }
    requireOnly("/storage", storages);
    requireOnly("/state/storages", numbers);
    Set<String> ids = new HashSet<>();
    engine().snapshots.all().forEach(snapshot -> ids.add(snapshot.id().toString()));
    requireOnly("/state/snapshots", ids);
  }

  private static String name(java.nio.file.Path path) {
    return String.valueOf(path.getFileName());
  }

  private void requireOnly(String directory, Set<String> expected) {
    for (String name : machine.list(directory)) {
      if (!expected.contains(name)) {
        throw new Violation("nobody needs " + directory + "/" + name + log());
      }
    }
  }

  /** Everything, while nothing goes on. */
  private void check() throws IOException {
    for (DiskModel disk : disks.values()) {
      checkMap(disk);
    }
    for (SnapshotModel model : snapshots.values()) {
      Snapshot snapshot = lookup(model);
      if (snapshot == null || model.state != SnapshotModel.State.TAKEN) {
        continue;
      }
      @Nullable TakeModel first = null;
      for (Map.Entry<String, ImageModel> entry : model.images.entrySet()) {
        ImageModel image = entry.getValue();
        switch (snapshot.part(entry.getKey()).orElseThrow()) {
          case SnapshotPart.Taken part -> {
            for (int at = 0; at < image.take.disk.sectors; at += 64) {
              read(model, part, image, at, Math.min(64, image.take.disk.sectors - at));
            }
          }
          case SnapshotPart.Lost lost -> {
            if (!model.mayBreak) {
              throw new Violation(model.name + " has lost " + lost + log());
            }
          }
          case SnapshotPart.Named named -> throw new Violation(model.name + " has only " + named);
        }
        if (first == null) {
          first = image.take;
        } else {
          first.joins(image.take, model.name);
        }
      }
      map(model);
    }
    checkAccounts();
  }

  private void checkMap(DiskModel disk) throws IOException {
    TrackedDevice device = device(disk);
    UUID generation;
    try {
      generation = device.readMap(map -> map.generation());
    } catch (BlkSnapException e) {
      if (faults.injected() == 0) {
        throw e;
      }
      return;
    }
    for (TakeModel take : takes) {
      if (take.disk == disk
          && !disk.isUnreliable()
          && !marksLost
          && generation.equals(take.generation)) {
        ChangedRanges page = device.readMap(map -> map.changedSince(take.number, 0, 1000));
        take.changedSince(page.ranges(), faults.injected() == 0, "map of " + disk.name);
      }
    }
  }

  /** Every block that is used is used once, and counted. */
  private void checkAccounts() {
    Map<Long, String> users = new HashMap<>();
    Map<Integer, Long> used = new HashMap<>();
    for (TrackerTable.Attached attached : engine().trackers.all()) {
      for (var area : attached.device().chain().areas()) {
        AreaProbe.visit(
            area,
            (isPrivate, block, location) -> {
              if (location == Location.ZEROES) {
                return;
              }
              String user = attached.name() + " " + block + (isPrivate ? area : "");
              String other = users.put(location, user);
              if (other == null) {
                used.merge(Location.storage(location), 1L, Long::sum);
              } else if (!other.equals(user)) {
                throw new Violation("one block of storage holds " + other + " and " + user);
              }
            });
      }
    }
    for (DiffStorage storage : engine().storages.all()) {
      long filled = storage.space().filled() / Location.BLOCK_BYTES;
      long needed = used.getOrDefault(storage.number(), 0L);
      if (faults.injected() == 0 && filled != needed) {
        throw new Violation(
            "storage "
                + storage.number()
                + " has "
                + filled
                + " blocks filled, "
                + needed
                + " are needed");
      }
    }
  }
}
