package blksnap.sim.oracle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.diffarea.FullPolicy;
import blksnap.diffstorage.DiffStorage;
import blksnap.diffstorage.Location;
import blksnap.param.Parameter;
import blksnap.param.Parameters;
import blksnap.sim.machine.Call;
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
import java.nio.file.Files;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

/**
 * One call fails while an engine finds what is there. It is used and killed, and the next one, for
 * which all goes well, shows an image as it was at its take, or knows that it is lost.
 */
class LoadFaultTest {
  private static final int BLOCK = Location.BLOCK_BYTES;
  private static final int SECTORS = BLOCK / Stamps.SECTOR;
  private static final int BLOCKS = 16;

  @Test
  void anImageThatALoadCouldNotReadIsNotTakenForGoodByTheNext() throws IOException {
    requireAfterEachFault(FileClass.STATE, part -> part.corruption().isEmpty());
  }

  @Test
  void anImageOutlivesALoadThatDidNotFindItsDevice() throws IOException {
    requireAfterEachFault(FileClass.DISK, _ -> true);
  }

  /**
   * Others wrote as well, so that a load begins a generation: what is in doubt must outlive that.
   */
  @Test
  void whatAFailedFlushLostIsWrittenAgainHoweverALoadEnded() throws IOException {
    byte[] lost = new byte[BLOCK];
    Stamps.filled(2, SECTORS).get(lost);
    boolean failed = true;
    for (int call = 1; failed; call++) {
      Faults faults = Faults.none();
      SimMachine machine = machine(call, faults);
      loseAFlush(machine, faults);
      machine.kill();
      machine.write("/disks/vm1", 8L * BLOCK, new byte[] {1});
      faults.failOne(call, FileClass.STATE);
      machine.quiet(false);
      load(machine);
      machine.quiet(true);
      failed = !faults.isPending();
      machine.kill();

      SimEngine next = SimEngine.load(machine, new Parameters());
      if (next.trackers.lookup("vm1").isEmpty()) {
        next.trackers.attach(machine.path("/disks/vm1"), Optional.of("vm1"), false, false);
      }
      next.trackers.find("vm1").device().flush();
      machine.cut();
      byte[] found = Arrays.copyOf(machine.content("/disks/vm1"), BLOCK);
      assertThat(Arrays.equals(found, lost)).as("call %d", call).isTrue();
    }
  }

  /** The kernel tells of a lost page once, whoever wrote it: here it tells the attach. */
  @Test
  void whatOthersWroteAndTheSyncOfAnAttachLostIsWrittenAgain() throws IOException {
    Faults faults = Faults.none();
    SimMachine machine = machine(1, faults);
    machine.makeFile("/disks/vm3", 64L * BLOCK);
    var parameters = new Parameters();
    parameters.set(Parameter.WRITE_INTENT_REGION_SHIFT, DiskModel.REGION_SHIFT); // four of them
    SimEngine engine = SimEngine.load(machine, parameters);
    engine.trackers.attach(machine.path("/disks/vm3"), Optional.of("vm3"), false, false);
    write(engine, "vm3", 0, 1, 1);
    machine.kill();
    byte[] theirs = new byte[BLOCK];
    Stamps.filled(2, SECTORS).get(theirs);
    machine.write("/disks/vm3", 40L * BLOCK, theirs);

    faults.failNext(Call.SYNC, FileClass.DISK);
    machine.quiet(false);
    SimEngine next = SimEngine.load(machine, parameters);
    machine.quiet(true);
    assertThat(faults.isPending()).isFalse();
    next.trackers.find("vm3").device().flush();
    machine.cut();

    byte[] found = Arrays.copyOfRange(machine.content("/disks/vm3"), 40 * BLOCK, 41 * BLOCK);
    assertThat(Arrays.equals(found, theirs)).isTrue();
  }

  /** Its record could not be removed, and by then another one had the number of its storage. */
  @Test
  void aSnapshotWhoseStorageWasGivenToAnotherIsGone() throws IOException {
    SimMachine machine = machine(1, Faults.none());
    SimEngine engine = SimEngine.load(machine, new Parameters());
    engine.trackers.attach(machine.path("/disks/vm1"), Optional.of("vm1"), false, false);
    Snapshot first = create(engine, machine, "first", "vm1", Durability.POWER);
    String directory = "/state/snapshots/" + first.id();
    byte[] record = machine.content(directory + "/snapshot");
    engine.snapshots.destroy(first);
    Snapshot second = create(engine, machine, "second", "vm1", Durability.POWER);
    assertThat(second.storage().number()).isEqualTo(first.storage().number());
    Files.createDirectory(machine.path(directory));
    machine.makeFile(directory + "/snapshot", record.length);
    machine.write(directory + "/snapshot", 0, record);
    machine.kill();

    SimEngine next = SimEngine.load(machine, new Parameters());
    assertThat(next.snapshots.all()).extracting(Snapshot::name).containsExactly("second");
    assertThat(machine.list("/state/snapshots")).doesNotContain(first.id().toString());
    Snapshot found = next.snapshots.find("second");
    next.snapshots.take(found);
    write(next, "vm1", 0, 1, 1);
    assertThat(found.storage().space().filled()).isZero(); // zeroes take no block
    next.snapshots.destroy(found);
    assertThat(next.storages.all()).isEmpty();
  }

  /** A block that is 1 on the disk and 2 in memory, which the kernel takes for written. */
  private static void loseAFlush(SimMachine machine, Faults faults) throws IOException {
    SimEngine engine = SimEngine.load(machine, new Parameters());
    engine.trackers.attach(machine.path("/disks/vm1"), Optional.of("vm1"), false, false);
    TrackedDevice device = engine.trackers.find("vm1").device();
    write(engine, "vm1", 0, 1, 1);
    device.flush();
    write(engine, "vm1", 0, 2, 1);
    faults.failNext(Call.SYNC, FileClass.DISK);
    machine.quiet(false);
    assertThatExceptionOfType(IOException.class).isThrownBy(device::flush);
    machine.quiet(true);
  }

  /** One was killed while it handed down to another, which goes with the engine. */
  @Test
  void aLoadThatFinishesTwoDestroysReleasesEachBlockOnce() throws IOException {
    boolean stopped = true;
    for (int call = 1; stopped; call++) {
      SimMachine machine = machine(call, Faults.none());
      SimEngine engine = SimEngine.load(machine, new Parameters());
      engine.trackers.attach(machine.path("/disks/vm1"), Optional.of("vm1"), false, false);
      write(engine, "vm1", 0, 9, 8); // zeroes take no block
      take(engine, machine, "oldest", "vm1");
      write(engine, "vm1", 0, 1, 2);
      take(engine, machine, "none", "vm1", Durability.NONE);
      write(engine, "vm1", 1, 2, 2);
      Snapshot newest = take(engine, machine, "newest", "vm1");
      write(engine, "vm1", 0, 3, 4);
      stopped = isKilledInDestroy(call, machine, engine, newest);

      SimEngine next = SimEngine.load(machine, new Parameters());
      long filled = 0;
      for (DiffStorage storage : next.storages.all()) {
        filled += storage.space().filled();
      }
      SnapshotPart part = next.snapshots.find("oldest").part("vm1").orElseThrow();
      long stored = ((SnapshotPart.Taken) part).area().blocksStored();
      if (next.snapshots.all().size() == 1) {
        assertThat(filled).as("call %d", call).isEqualTo(stored * BLOCK);
      }
      assertThat(stored).isPositive();
    }
  }

  /** Whether there was such a call of the destroy, after which all stood still. */
  private static boolean isKilledInDestroy(
      int call, SimMachine machine, SimEngine engine, Snapshot snapshot) {
    var scheduler = new SimScheduler(new SplittableRandom(call));
    var calls = new AtomicInteger();
    machine.onCall(() -> {
      if (calls.incrementAndGet() == call) {
        scheduler.stop();
      }
      if (scheduler.isStopped()) {
        SimScheduler.giveWay();
      }
    });
    machine.quiet(false);
    scheduler.start("destroy", () -> destroy(engine, snapshot));
    scheduler.run();
    machine.quiet(true);
    machine.onCall(() -> {});
    machine.kill();
    return calls.get() >= call;
  }

  private static void destroy(SimEngine engine, Snapshot snapshot) {
    try {
      engine.snapshots.destroy(snapshot);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void requireAfterEachFault(FileClass file, Predicate<SnapshotPart> mustBeGood)
      throws IOException {
    boolean failed = true;
    for (int call = 1; failed; call++) {
      Faults faults = Faults.none();
      SimMachine machine = machine(call, faults);
      prepare(machine);
      machine.kill();
      faults.failOne(call, file);
      machine.quiet(false);
      Optional<SimEngine> loaded = load(machine);
      machine.quiet(true);
      failed = !faults.isPending();
      if (loaded.isPresent()) {
        use(loaded.get(), machine);
      }
      machine.kill();
      SimEngine last = SimEngine.load(machine, new Parameters());
      SnapshotPart part = last.snapshots.find("s0").part("vm1").orElseThrow();
      if (mustBeGood.test(part)) {
        assertThat(part).as("call %d", call).isInstanceOf(SnapshotPart.Taken.class);
        ByteBuffer shown = ByteBuffer.allocateDirect(4 * BLOCK);
        ((SnapshotPart.Taken) part).image().read(0, shown);
        assertThat(shown.flip()).as("call %d", call).isEqualTo(Stamps.filled(1, 4 * SECTORS));
      }
    }
  }

  private static SimMachine machine(long seed, Faults faults) {
    var machine = new SimMachine(new SplittableRandom(seed), SimMachine.Entries.JOURNAL, faults);
    for (String directory : List.of("/state", "/storage", "/disks")) {
      machine.makeDirectory(directory);
    }
    machine.makeFile("/disks/vm1", (long) BLOCKS * BLOCK);
    machine.makeFile("/disks/vm2", (long) BLOCKS * BLOCK);
    return machine;
  }

  /** An image with a block in the storage of one that is gone, and one that a newer one holds. */
  private static void prepare(SimMachine machine) throws IOException {
    SimEngine engine = SimEngine.load(machine, new Parameters());
    engine.trackers.attach(machine.path("/disks/vm1"), Optional.of("vm1"), false, false);
    write(engine, "vm1", 0, 1, 4);
    take(engine, machine, "s0", "vm1");
    Snapshot second = take(engine, machine, "s1", "vm1");
    write(engine, "vm1", 0, 2, 1);
    engine.snapshots.destroy(second);
    take(engine, machine, "s2", "vm1");
    write(engine, "vm1", 1, 3, 1);
  }

  private static void use(SimEngine engine, SimMachine machine) throws IOException {
    Optional<Snapshot> newer = engine.snapshots.lookup("s2");
    if (newer.isPresent() && engine.trackers.lookup("vm1").isPresent()) {
      engine.snapshots.destroy(newer.get());
    }
    engine.trackers.attach(machine.path("/disks/vm2"), Optional.of("vm2"), false, false);
    for (String device : List.of("vm1", "vm2")) {
      if (engine.trackers.lookup(device).isPresent()) {
        write(engine, device, 2, 4, 1);
        take(engine, machine, "of-" + device, device);
        write(engine, device, 3, 5, 1);
      }
    }
  }

  private static Optional<SimEngine> load(SimMachine machine) {
    try {
      return Optional.of(SimEngine.load(machine, new Parameters()));
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private static void write(SimEngine engine, String device, int block, int value, int blocks)
      throws IOException {
    TrackerTable.Attached attached = engine.trackers.find(device);
    attached.device().write((long) block * BLOCK, Stamps.filled(value, blocks * SECTORS));
  }

  private static Snapshot take(SimEngine engine, SimMachine machine, String name, String device)
      throws IOException {
    return take(engine, machine, name, device, Durability.POWER);
  }

  private static Snapshot take(
      SimEngine engine, SimMachine machine, String name, String device, Durability durability)
      throws IOException {
    Snapshot snapshot = create(engine, machine, name, device, durability);
    engine.snapshots.take(snapshot);
    return snapshot;
  }

  private static Snapshot create(
      SimEngine engine, SimMachine machine, String name, String device, Durability durability)
      throws IOException {
    return engine.snapshots.create(
        List.of(device),
        machine.path("/storage/" + name),
        OptionalLong.empty(),
        new SnapshotConfig(name, durability, FullPolicy.BREAK));
  }
}
