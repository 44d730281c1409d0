package blksnap.sim.oracle;

import blksnap.cbt.CbtMap;
import blksnap.cbt.CbtSnapshot;
import blksnap.cbt.IntervalNumbers;
import blksnap.diffstorage.RoomWait;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import blksnap.param.Parameter;
import blksnap.param.Parameters;
import blksnap.sim.machine.Faults;
import blksnap.sim.machine.FileClass;
import blksnap.sim.machine.SimMachine;
import blksnap.sim.machine.SimScheduler;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotPart;
import blksnap.tracker.TrackedDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.locks.Condition;
import org.jspecify.annotations.Nullable;

/** What a run is about: the machine, what is on it, what was asked for and what came of it. */
final class Scene {
  /** How far a disk grows. */
  private static final int MORE_SECTORS = 150;

  final SplittableRandom random;
  final Weather weather;
  final Faults faults;
  final SimMachine machine;
  final Clock clock = new Clock();
  final Map<String, DiskModel> disks = new LinkedHashMap<>();
  final Map<String, SnapshotModel> snapshots = new LinkedHashMap<>();
  final List<TakeModel> takes = new ArrayList<>();
  final Parameters parameters = new Parameters();
  private final Set<String> numbersGiven = new HashSet<>();
  private final StringBuilder story = new StringBuilder();

  /** The one that is loaded. */
  @Nullable SimEngine engine;

  /** The threads of the present life. */
  @Nullable SimScheduler scheduler;

  /** Threads that wait for room in diff storage. */
  int waiting;

  /** Threads that change disks, and may come to wait. */
  int working;

  private long stamps;
  private int names;

  Scene(long seed) {
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
    disk("vm1", 40 * 8 + 3, random.nextInt(6) == 0);
    if (random.nextBoolean()) {
      disk("vm2", 16 + 8 * random.nextInt(30), random.nextInt(3) == 0);
    }
  }

  private Faults faults() {
    if (weather != Weather.FOUL) {
      Faults none = Faults.none();
      return random.nextInt(4) == 0 ? none.withShortTransfers() : none;
    }
    FileClass[] classes = {FileClass.STATE, FileClass.STORAGE, FileClass.DISK};
    int dice = random.nextInt(7);
    if (dice >= 5) {
      return Faults.none().withOneLostSync();
    }
    if (dice == 4) {
      return Faults.none().withLostPages();
    }
    return new Faults(10 + random.nextInt(150), dice == 3 ? null : classes[dice])
        .withShortTransfers();
  }

  private void disk(String name, int sectors, boolean block) {
    if (block) {
      machine.makeDisk(path(name), (long) sectors * Stamps.SECTOR);
    } else {
      machine.makeFile(path(name), (long) sectors * Stamps.SECTOR);
    }
    disks.put(name, new DiskModel(name, sectors, sectors + MORE_SECTORS, clock));
  }

  /** What happened, a line each. */
  String story() {
    return story.toString();
  }

  void tell(String line) {
    story.append(clock.now()).append(' ').append(line).append('\n');
  }

  SimEngine engine() {
    return Objects.requireNonNull(engine);
  }

  static String path(String disk) {
    return "/disks/" + disk + ".img";
  }

  /** As {@link RoomWait}. */
  long awaitRoom(Condition moreRoom, long nanos) throws InterruptedException {
    waiting++;
    try {
      return Objects.requireNonNull(scheduler).await(moreRoom, nanos);
    } finally {
      waiting--;
    }
  }

  /** Lets time pass. */
  void sleep(long millis) {
    Objects.requireNonNull(scheduler).sleep(millis * 1_000_000);
  }

  /** What a write shows that nothing else does. */
  long nextStamp() {
    return ++stamps;
  }

  String nextName() {
    return "s" + names++;
  }

  <T> T any(List<T> list) {
    return list.get(random.nextInt(list.size()));
  }

  TrackedDevice device(DiskModel disk) throws BlkSnapException {
    return engine().trackers.find(disk.name).device();
  }

  @Nullable Snapshot lookup(SnapshotModel snapshot) {
    return engine().snapshots.lookup(snapshot.name).orElse(null);
  }

  /** What is in a file, beyond its end zeroes. */
  long[] raw(DiskModel disk, int first, int count) {
    byte[] bytes = machine.content(path(disk.name));
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    long[] found = new long[count];
    for (int i = 0; i < count && first + i < bytes.length / Stamps.SECTOR; i++) {
      found[i] = Stamps.read(buffer, first + i, "disk " + disk.name);
    }
    return found;
  }

  /** Sectors of the file of a disk. */
  int rawSectors(DiskModel disk) {
    return machine.content(path(disk.name)).length / Stamps.SECTOR;
  }

  /** Uses up numbers of a map, so that they come to their end. */
  void age(DiskModel disk, int takes) throws IOException {
    TrackedDevice device = device(disk);
    Path file = machine.path("/more/aged");
    try (CbtSnapshot frozen = CbtSnapshot.create(file, device.readMap(CbtMap::geometry))) {
      for (int i = 0; i < takes; i++) {
        device.gate().close();
        try {
          device.freezeMap(frozen);
        } finally {
          device.gate().open();
        }
      }
    }
    Files.delete(file);
    device.forceMapState();
    disk.lastNumber = takes;
    tell("aged " + disk.name + " by " + takes + " takes");
  }

  int resizes() {
    return disks.values().stream().mapToInt(disk -> disk.resizes).sum();
  }

  int detaches() {
    return disks.values().stream().mapToInt(disk -> disk.detaches).sum();
  }

  UUID generation(DiskModel disk) throws BlkSnapException {
    return device(disk).readMap(CbtMap::generation);
  }

  void excuse(String what, IOException e) {
    tell(what + " failed: " + e.getMessage());
    boolean full =
        weather == Weather.TIGHT && e instanceof BlkSnapException b && b.errno() == Errno.ENOSPC;
    if (faults.injected() == 0 && !full) {
      throw new Violation(what + " failed without a reason", e);
    }
  }

  void mayFail(SnapshotModel model, IOException e) {
    if (!model.mayBreak
        && model.state != SnapshotModel.State.DESTROYING
        && snapshots.containsKey(model.name)) {
      throw new Violation(
          "the image of " + model.name + " fails, and nothing was to break it" + log(), e);
    }
  }

  String log() {
    var text = new StringBuilder();
    for (LogRing.Line line : engine().log.since(0, LogRing.CAPACITY)) {
      text.append("\n    ").append(line);
    }
    return text.toString();
  }

  /** Remembers the numbers of a take, which must be new. */
  void number(SnapshotModel model, Snapshot snapshot) {
    for (Map.Entry<String, ImageModel> entry : model.images.entrySet()) {
      if (snapshot.part(entry.getKey()).orElseThrow() instanceof SnapshotPart.Taken taken) {
        IntervalNumbers numbers = taken.frozen().numbers();
        entry.getValue().take.disk.lastNumber = numbers.sinceNumber();
        entry
            .getValue()
            .take
            .numbered(
                numbers.sinceGeneration(),
                numbers.sinceNumber(),
                (int) (taken.image().sizeBytes() / Stamps.SECTOR));
        String given =
            entry.getKey() + " " + numbers.sinceGeneration() + " " + numbers.sinceNumber();
        if (!numbersGiven.add(given)) {
          throw new Violation("two takes of " + given);
        }
      }
    }
  }
}
