package blksnap.sim.oracle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.device.BlockDevice;
import blksnap.diffarea.FullPolicy;
import blksnap.diffstorage.Location;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.param.Parameter;
import blksnap.param.Parameters;
import blksnap.sector.ByteRange;
import blksnap.sim.machine.Call;
import blksnap.sim.machine.Faults;
import blksnap.sim.machine.FileClass;
import blksnap.sim.machine.SimMachine;
import blksnap.sim.machine.SimScheduler;
import blksnap.snapshot.Durability;
import blksnap.snapshot.ImageLimit;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotConfig;
import blksnap.snapshot.SnapshotPart;
import blksnap.tracker.TrackedDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** What a power loss may take and must be made good, one case at a time. */
class PowerLossTest {
  private static final int BLOCKS = 64;
  private static final int ENOUGH_CHECKPOINTS = 10;
  private static final int SEEDS = 20; // how much of a page is lost is a choice of the machine

  private static SimMachine machine(long seed) {
    return machine(seed, Faults.none());
  }

  private static SimMachine machine(long seed, Faults faults) {
    var machine = new SimMachine(new SplittableRandom(seed), SimMachine.Entries.JOURNAL, faults);
    for (String directory : List.of("/state", "/storage", "/disks")) {
      machine.makeDirectory(directory);
    }
    machine.makeFile("/disks/vm1.img", (long) BLOCKS * Location.BLOCK_BYTES);
    return machine;
  }

  private static Parameters parameters() {
    var parameters = new Parameters();
    parameters.set(Parameter.TRACKING_BLOCK_MINIMUM_SHIFT, 12);
    parameters.set(Parameter.WRITE_INTENT_REGION_SHIFT, DiskModel.REGION_SHIFT);
    return parameters;
  }

  private static void attach(SimEngine engine, SimMachine machine) throws IOException {
    engine.trackers.attach(machine.path("/disks/vm1.img"), Optional.of("vm1"), false, false);
  }

  /** A device that is attached, and faults that are to come. */
  private record Attached(
      Faults faults, SimMachine machine, SimEngine engine, TrackedDevice device) {
    static Attached of(long seed) throws IOException {
      Faults faults = Faults.none();
      SimMachine machine = PowerLossTest.machine(seed, faults);
      SimEngine engine = SimEngine.load(machine, parameters());
      attach(engine, machine);
      return new Attached(faults, machine, engine, engine.trackers.find("vm1").device());
    }
  }

  private static SnapshotPart.Taken taken(Snapshot snapshot) {
    return (SnapshotPart.Taken) snapshot.part("vm1").orElseThrow();
  }

  private static List<ByteRange> changed(Snapshot snapshot) throws Exception {
    return taken(snapshot).frozen().changedSince(0, 0, 1000).ranges();
  }

  @Test
  void stillSaysInTheFrozenMapWhatWasWrittenToAnImage() throws Exception {
    for (long seed = 0; seed < SEEDS; seed++) {
      SimMachine machine = machine(seed);
      Parameters parameters = parameters();
      SimEngine engine = SimEngine.load(machine, parameters);
      attach(engine, machine);
      List<Snapshot> snapshots = new ArrayList<>();
      for (String name : List.of("s", "later")) {
        Snapshot snapshot =
            engine.snapshots.create(
                List.of("vm1"),
                machine.path("/storage/" + name),
                OptionalLong.empty(),
                new SnapshotConfig(name, Durability.POWER, FullPolicy.BREAK));
        engine.snapshots.take(snapshot);
        snapshots.add(snapshot);
      }
      var image = taken(snapshots.getFirst()).image();
      image.write(5L * Location.BLOCK_BYTES, Stamps.filled(7, 8));
      image.flush();
      List<ByteRange> expected =
          List.of(new ByteRange(5L * Location.BLOCK_BYTES, Location.BLOCK_BYTES));
      assertThat(changed(snapshots.getFirst())).isEqualTo(expected);
      assertThat(changed(snapshots.getLast())).isEqualTo(expected);

      machine.cut();
      SimEngine next = SimEngine.load(machine, parameters);

      for (String name : List.of("s", "later")) {
        assertThat(changed(next.snapshots.find(name)))
            .as("%s, seed %d", name, seed)
            .isEqualTo(expected);
      }
    }
  }

  @Test
  void stillHoldsImagesToTheirLimits() throws Exception {
    SimMachine machine = machine(1);
    Parameters parameters = parameters();
    SimEngine engine = SimEngine.load(machine, parameters);
    attach(engine, machine);
    for (String name : List.of("created", "taken")) {
      engine.snapshots.create(
          List.of("vm1"),
          machine.path("/storage/" + name),
          OptionalLong.empty(),
          new SnapshotConfig(
              name, Durability.POWER, FullPolicy.BREAK, new ImageLimit(20, 1 << 20)));
    }
    Snapshot snapshot = engine.snapshots.find("taken");
    engine.snapshots.take(snapshot);
    engine.snapshots.limitImages(snapshot, limit -> new ImageLimit(limit.requestsPerSecond(), 0));

    machine.cut();
    SimEngine next = SimEngine.load(machine, parameters);

    assertThat(next.snapshots.find("created").config().imageLimit())
        .isEqualTo(new ImageLimit(20, 1 << 20));
    Snapshot found = next.snapshots.find("taken");
    assertThat(found.config().imageLimit()).isEqualTo(new ImageLimit(20, 0));
    assertThat(found.view().state()).isEqualTo(Snapshot.State.TAKEN);
  }

  /** Others may have had its blocks since what the disk knows of it was written. */
  @Test
  void leavesNoBlockToAnImageThatThePowerTook() throws Exception {
    SimMachine machine = machine(1);
    Parameters parameters = parameters();
    SimEngine engine = SimEngine.load(machine, parameters);
    attach(engine, machine);
    engine.trackers.find("vm1").device().write(0, Stamps.filled(6, 8)); // zeroes take no block
    Snapshot snapshot =
        engine.snapshots.create(
            List.of("vm1"),
            machine.path("/storage/s"),
            OptionalLong.empty(),
            new SnapshotConfig("s", Durability.PROCESS, FullPolicy.BREAK));
    engine.snapshots.take(snapshot);
    engine.trackers.find("vm1").device().write(0, Stamps.filled(7, 8));
    assertThat(taken(snapshot).area().blocksStored()).isEqualTo(1);
    taken(snapshot).area().force();

    machine.cut();
    SimEngine next = SimEngine.load(machine, parameters);

    Snapshot found = next.snapshots.find("s");
    assertThat(taken(found).area().corruption()).contains(Errno.EIO);
    assertThat(taken(found).area().blocksStored()).isZero();
    assertThat(found.storage().space().filled()).isZero();
  }

  @Test
  void reportsNoMoreThanWasWrittenByAClientThatNeverFlushedOnceItRested() throws Exception {
    SimMachine machine = machine(1);
    SimEngine engine = SimEngine.load(machine, parameters());
    attach(engine, machine);
    TrackedDevice device = engine.trackers.find("vm1").device();
    device.write(3L * Location.BLOCK_BYTES, Stamps.filled(7, 8));
    for (int i = 0; i < ENOUGH_CHECKPOINTS; i++) {
      engine.trackers.checkpoint();
    }

    machine.cut();
    SimEngine next = SimEngine.load(machine, parameters());

    TrackedDevice found = next.trackers.find("vm1").device();
    List<ByteRange> ranges = found.readMap(map -> map.changedSince(0, 0, 1000).ranges());
    assertThat(ranges)
        .containsExactly(new ByteRange(3L * Location.BLOCK_BYTES, Location.BLOCK_BYTES));
  }

  /**
   * While the device is made half as long the power fails, at every moment: what is not there any
   * more although the size is the old one again must count as changed.
   */
  @Test
  void reportsWhatIsGoneThoughTheSizeCameBack() throws Exception {
    int gone = 0;
    for (long seed = 0; seed < SEEDS; seed++) {
      boolean over = false;
      for (int steps = 1; !over; steps++) {
        SimMachine machine = machine(seed);
        SimEngine engine = SimEngine.load(machine, parameters());
        attach(engine, machine);
        TrackedDevice device = engine.trackers.find("vm1").device();
        long half = device.sizeBytes() / 2;
        device.write(0, Stamps.filled(7, Math.toIntExact(2 * half / Stamps.SECTOR)));
        device.flush();
        for (int i = 0; i < ENOUGH_CHECKPOINTS; i++) {
          engine.trackers.checkpoint(); // no region is open any more, which would hide it
        }
        take(engine, machine);
        UUID before = generation(device);
        over = isResized(engine, machine, half, steps);

        machine.cut();
        SimEngine next = SimEngine.load(machine, parameters());

        TrackedDevice found = next.trackers.find("vm1").device();
        if (found.sizeBytes() != 2 * half || !generation(found).equals(before)) {
          continue; // it is shorter, or a new generation says that all may have changed
        }
        List<ByteRange> ranges = found.readMap(map -> map.changedSince(1, 0, 1000).ranges());
        for (long at = 0; at < 2 * half; at += Location.BLOCK_BYTES) {
          if (!isFilled(found, at)) {
            gone++;
            assertThat(contains(ranges, at)).as("%d, seed %d, step %d", at, seed, steps).isTrue();
          }
        }
      }
    }
    assertThat(gone).isPositive();
  }

  /** What was seen of a disk before the machine was started again says nothing of it now. */
  @Test
  void keepsTheGenerationOfADiskWhereverTheFirstLoadAfterARestartIsKilled() throws Exception {
    boolean over = false;
    for (int steps = 1; !over; steps++) {
      SimMachine machine = machine(steps);
      machine.makeDisk("/disks/vm2", (long) BLOCKS * Location.BLOCK_BYTES);
      SimEngine engine = SimEngine.load(machine, parameters());
      engine.trackers.attach(machine.path("/disks/vm2"), Optional.of("vm2"), false, false);
      TrackedDevice device = engine.trackers.find("vm2").device();
      UUID before = generation(device);
      device.write(0, Stamps.filled(1, 8));
      device.flush();
      engine.trackers.checkpoint();
      engine.unload(true);
      machine.cut();
      over = isOver(machine, steps, () -> SimEngine.load(machine, parameters()));
      machine.kill();

      SimEngine next = SimEngine.load(machine, parameters());
      assertThat(generation(next.trackers.find("vm2").device()))
          .as("step %d", steps)
          .isEqualTo(before);
    }
  }

  /** The kernel tells one engine that a flush failed, and not the next. */
  @Test
  void takesNothingBackThatAnEngineShowedAfterOneWhoseFlushFailed() throws Exception {
    for (boolean told : new boolean[] {true, false}) {
      for (long seed = 0; seed < SEEDS; seed++) {
        var scene = Attached.of(seed);
        TrackedDevice device = scene.device;
        UUID before = generation(device);
        device.write(0, Stamps.filled(1, BLOCKS * 8));
        rest(scene.engine);
        device.write(3L * Location.BLOCK_BYTES, Stamps.filled(7, 8));
        scene.faults.failNext(Call.SYNC, FileClass.DISK);
        scene.machine.quiet(false);
        if (told) {
          assertThatExceptionOfType(BlkSnapException.class).isThrownBy(device::flush);
        }
        scene.machine.kill();

        SimEngine next = SimEngine.load(scene.machine, parameters());
        scene.machine.quiet(true);
        TrackedDevice found = next.trackers.find("vm1").device();
        assertThat(isFilled(found, 3L * Location.BLOCK_BYTES)).isTrue();
        assertThat(generation(found)).isEqualTo(before);
        take(next, scene.machine);
        scene.machine.cut();

        SimEngine last = SimEngine.load(scene.machine, parameters());
        TrackedDevice kept = last.trackers.find("vm1").device();
        assertThat(generation(kept)).isEqualTo(before);
        assertThat(isFilled(kept, 3L * Location.BLOCK_BYTES))
            .as("seed %d, told %s", seed, told)
            .isTrue();
      }
    }
  }

  /** As above, of the map, whose sync fails while the device is closed. */
  @Test
  void reportsWhatAnEngineKnewThoughItCouldNotMakeItsMapDurable() throws Exception {
    for (long seed = 0; seed < SEEDS; seed++) {
      var scene = Attached.of(seed);
      take(scene.engine, scene.machine);
      TrackedDevice device = scene.device;
      UUID before = generation(device);
      device.write(3L * Location.BLOCK_BYTES, Stamps.filled(7, 8));
      scene.faults.failNext(Call.FORCE, FileClass.STATE);
      scene.machine.quiet(false);
      scene.engine.unload(true);
      scene.machine.quiet(true);
      scene.machine.kill();

      SimEngine next = SimEngine.load(scene.machine, parameters());
      rest(next);
      scene.machine.cut();

      requireReported(scene.machine, before, seed);
    }
  }

  /** What an engine stored before it died is in memory for the next one, and not yet durable. */
  @Test
  void opensRegionsDurablyThatAnEngineBeforeOnlySaidWereOpen() throws Exception {
    for (long seed = 0; seed < SEEDS; seed++) {
      var scene = Attached.of(seed);
      take(scene.engine, scene.machine);
      UUID before = generation(scene.device);
      scene.faults.failNext(Call.FORCE, FileClass.STATE);
      scene.machine.quiet(false);
      scene.device.write(0, Stamps.filled(1, 8));
      scene.machine.quiet(true);
      scene.machine.kill();

      SimEngine next = SimEngine.load(scene.machine, parameters());
      next.trackers.find("vm1").device().write(3L * Location.BLOCK_BYTES, Stamps.filled(7, 8));
      scene.machine.cut();

      requireReported(scene.machine, before, seed);
    }
  }

  @Test
  void knowsAnImageForCorruptThoughTheFirstSyncOfThatFailed() throws Exception {
    for (long seed = 0; seed < SEEDS; seed++) {
      var scene = Attached.of(seed);
      TrackedDevice device = scene.device;
      take(scene.engine, scene.machine, Durability.POWER);
      scene.faults.failNext(Call.FORCE, FileClass.STATE);
      scene.machine.quiet(false);
      device.chain().giveUp(0, Location.BLOCK_BYTES, Errno.EIO, "it could not be preserved");
      scene.machine.quiet(true);
      scene.machine.cut();

      SimEngine next = SimEngine.load(scene.machine, parameters());
      var image = taken(next.snapshots.find("s")).image();
      assertThatExceptionOfType(BlkSnapException.class)
          .as("seed %d", seed)
          .isThrownBy(() -> image.read(0, ByteBuffer.allocateDirect(Location.BLOCK_BYTES)));
    }
  }

  /** Others write while it is being made durable that an image is corrupt. */
  @Test
  void overwritesNothingForAnImageThatARestartWouldTakeForGood() throws Exception {
    int good = 0;
    int bad = 0;
    long offset = 5L * Location.BLOCK_BYTES;
    for (long seed = 0; seed < SEEDS; seed++) {
      boolean over = false;
      for (int steps = 1; !over; steps++) {
        SimMachine machine = machine(seed);
        SimEngine engine = SimEngine.load(machine, parameters());
        attach(engine, machine);
        TrackedDevice device = engine.trackers.find("vm1").device();
        device.write(offset, Stamps.filled(7, 8));
        device.flush();
        take(engine, machine, Durability.POWER);
        var scheduler = new SimScheduler(new SplittableRandom(seed * 1000 + steps));
        scheduler.stopAfter(steps);
        scheduler.start(
            "giver",
            () -> device.chain().giveUp(0, Location.BLOCK_BYTES, Errno.EIO, "no room for it"));
        scheduler.start("writer", () -> write(device, offset));
        machine.quiet(false);
        scheduler.run();
        machine.quiet(true);
        over = scheduler.living() == 0;

        machine.cut();
        SimEngine next = SimEngine.load(machine, parameters());
        BlockDevice image = taken(next.snapshots.find("s")).image();
        try {
          assertThat(isFilled(image, offset)).as("seed %d, step %d", seed, steps).isTrue();
          good++;
        } catch (BlkSnapException corrupt) {
          bad++;
        }
      }
    }
    assertThat(good).isPositive();
    assertThat(bad).isPositive();
  }

  private static void write(TrackedDevice device, long offset) {
    try {
      device.write(offset, Stamps.filled(8, 8));
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Everything durable, and no region open any more. */
  private static void rest(SimEngine engine) throws IOException {
    engine.trackers.find("vm1").device().flush();
    for (int i = 0; i < ENOUGH_CHECKPOINTS; i++) {
      engine.trackers.checkpoint();
    }
  }

  private static void take(SimEngine engine, SimMachine machine) throws Exception {
    take(engine, machine, Durability.PROCESS);
  }

  private static void take(SimEngine engine, SimMachine machine, Durability durability)
      throws Exception {
    engine.snapshots.take(
        engine.snapshots.create(
            List.of("vm1"),
            machine.path("/storage/s"),
            OptionalLong.empty(),
            new SnapshotConfig("s", durability, FullPolicy.BREAK)));
  }

  private static boolean isResized(SimEngine engine, SimMachine machine, long to, int steps) {
    return isOver(machine, steps, () -> engine.trackers.resize("vm1", OptionalLong.of(to), true));
  }

  private interface Action {
    Object run() throws IOException;
  }

  /** Whether it is over after so many steps. */
  private static boolean isOver(SimMachine machine, int steps, Action action) {
    var scheduler = new SimScheduler(new SplittableRandom(steps));
    scheduler.stopAfter(steps);
    scheduler.start(
        "action",
        () -> {
          try {
            var _ = action.run();
          } catch (IOException e) {
            throw new IllegalStateException(e);
          }
        });
    machine.quiet(false);
    scheduler.run();
    machine.quiet(true);
    return scheduler.living() == 0;
  }

  private static boolean isFilled(BlockDevice device, long at) throws IOException {
    var block = ByteBuffer.allocateDirect(Location.BLOCK_BYTES);
    device.read(at, block);
    return block.flip().equals(Stamps.filled(7, Location.BLOCK_BYTES / Stamps.SECTOR));
  }

  private static UUID generation(TrackedDevice device) throws IOException {
    return device.readMap(map -> map.generation());
  }

  /** The next engine must say that block 3 has changed since the first take. */
  private static void requireReported(SimMachine machine, UUID generation, long seed)
      throws Exception {
    SimEngine next = SimEngine.load(machine, parameters());
    TrackedDevice found = next.trackers.find("vm1").device();
    assertThat(generation(found)).as("seed %d", seed).isEqualTo(generation);
    List<ByteRange> ranges = found.readMap(map -> map.changedSince(1, 0, 1000).ranges());
    assertThat(contains(ranges, 3L * Location.BLOCK_BYTES)).as("seed %d", seed).isTrue();
  }

  private static boolean contains(List<ByteRange> ranges, long at) {
    return ranges.stream()
        .anyMatch(range -> range.offset() <= at && at < range.offset() + range.length());
  }
}
