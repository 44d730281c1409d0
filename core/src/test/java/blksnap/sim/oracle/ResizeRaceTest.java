package blksnap.sim.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cbt.CbtMap;
import blksnap.diffarea.FullPolicy;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import blksnap.param.Parameters;
import blksnap.sim.machine.Faults;
import blksnap.sim.machine.FileClass;
import blksnap.sim.machine.SimMachine;
import blksnap.sim.machine.SimScheduler;
import blksnap.snapshot.Durability;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotConfig;
import blksnap.tracker.TrackedDevice;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Requests that a resize comes into. */
class ResizeRaceTest {
  private static final int SIZE = 1 << 16;
  private static final int SEEDS = 150;

  private interface Request {
    void run(TrackedDevice device) throws IOException;
  }

  @Test
  void whoLooksForHolesWhileTheDeviceShrinksIsRefused() throws IOException {
    assertRefused(device -> device.discard(0, SIZE), Errno.ENOSPC);
    assertRefused(device -> device.allocation(0, SIZE, 16), Errno.EINVAL);
  }

  /** How the device looked before it grew is not taken for how it looks since. */
  @Test
  void whoObservesADeviceWhileItGrowsDoesNotCostItsGeneration() throws IOException {
    boolean failed = true;
    for (int call = 1; failed; call++) {
      Faults faults = Faults.none();
      SimMachine machine = machine(new SplittableRandom(call), faults);
      SimEngine engine = SimEngine.load(machine, new Parameters());
      TrackedDevice device = attach(engine, machine);
      device.writeZeroes(0, 1, true); // as many bytes as a resize counts
      device.flush();
      engine.trackers.checkpoint();
      engine.trackers.checkpoint(); // the next one does nothing but observe
      UUID before = generation(device);
      faults.failOne(call, FileClass.STATE);
      growWhileItIsObserved(machine, engine);
      failed = !faults.isPending();
      machine.kill();
      SimEngine next = SimEngine.load(machine, new Parameters());
      TrackedDevice found = next.trackers.lookup("vm1").orElseThrow().device();
      assertThat(generation(found)).as("call %d: %s", call, next.log.since(0, 9)).isEqualTo(before);
    }
  }

  /** Lets the device grow, unless a call fails, when its times were looked at but not noted yet. */
  private static void growWhileItIsObserved(SimMachine machine, SimEngine engine) {
    var calls = new AtomicInteger();
    machine.onCall(() -> {
      if (calls.incrementAndGet() == 2) {
        try {
          engine.trackers.resize("vm1", OptionalLong.of(2 * SIZE), true);
        } catch (IOException _) {
          // The call that was to fail.
        }
      }
    });
    machine.quiet(false);
    engine.trackers.checkpoint();
    machine.quiet(true);
    machine.onCall(() -> {});
  }

  /** It has its size again then, and the numbers of its map are another generation's. */
  @Test
  void aTakeKnowsADeviceThatShrankAndGrewBackMeanwhile() throws IOException {
    int refused = 0;
    boolean resized = true;
    for (int call = 1; resized; call++) {
      SimMachine machine = machine(new SplittableRandom(call), Faults.none());
      SimEngine engine = SimEngine.load(machine, new Parameters());
      attach(engine, machine);
      resized = takeWithResizesAt(call, machine, engine);
      Snapshot.State state = engine.snapshots.find("s").view().state();
      refused += state == Snapshot.State.CREATED ? 1 : 0;
      machine.kill();
      SimEngine next = SimEngine.load(machine, new Parameters());
      Snapshot found = next.snapshots.find("s");
      assertThat(found.view().state()).as("call %d", call).isEqualTo(state);
      assertThat(found.part("vm1").orElseThrow().corruption()).as("call %d", call).isEmpty();
    }
    assertThat(refused).isPositive();
  }

  /**
   * Takes a snapshot; whether the device was resized twice, at that call of the take and before its
   * instant.
   */
  private static boolean takeWithResizesAt(int call, SimMachine machine, SimEngine engine)
      throws IOException {
    Snapshot snapshot =
        engine.snapshots.create(
            List.of("vm1"),
            machine.path("/disks/s.diff"),
            OptionalLong.empty(),
            new SnapshotConfig("s", Durability.PROCESS, FullPolicy.BREAK));
    var calls = new AtomicInteger();
    var resized = new AtomicBoolean();
    machine.onCall(() -> {
      if (calls.incrementAndGet() == call && !instantIsOver(engine)) {
        resized.set(true);
        resize(engine, SIZE / 2);
        resize(engine, SIZE);
      }
    });
    machine.quiet(false);
    try {
      engine.snapshots.take(snapshot);
    } catch (BlkSnapException e) {
      assertThat(e.errno()).isEqualTo(Errno.EAGAIN);
    } finally {
      machine.quiet(true);
      machine.onCall(() -> {});
    }
    return resized.get();
  }

  private static boolean instantIsOver(SimEngine engine) {
    return engine.log.since(0, LogRing.CAPACITY).stream()
        .anyMatch(line -> line.text().contains("gates closed"));
  }

  private static UUID generation(TrackedDevice device) throws IOException {
    return device.readMap(CbtMap::generation);
  }

  private static SimMachine machine(SplittableRandom random, Faults faults) {
    var machine = new SimMachine(random.split(), SimMachine.Entries.JOURNAL, faults);
    machine.makeDirectory("/state");
    machine.makeDirectory("/disks");
    machine.makeFile("/disks/vm1", SIZE);
    return machine;
  }

  private static TrackedDevice attach(SimEngine engine, SimMachine machine) throws IOException {
    return engine
        .trackers
        .attach(machine.path("/disks/vm1"), Optional.of("vm1"), false, false)
        .device();
  }

  private static void resize(SimEngine engine, long bytes) {
    try {
      engine.trackers.resize("vm1", OptionalLong.of(bytes), true);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The request ends well or is refused, whoever goes on first. */
  private static void assertRefused(Request request, Errno expected) throws IOException {
    int refused = 0;
    for (long seed = 0; seed < SEEDS; seed++) {
      Optional<Throwable> failure = whileShrinking(seed, request);
      if (failure.isPresent()) {
        assertThat(failure.get()).as("seed %d", seed).isInstanceOf(BlkSnapException.class);
        assertThat(((BlkSnapException) failure.get()).errno()).isEqualTo(expected);
        refused++;
      }
    }
    assertThat(refused).isBetween(1, SEEDS - 1);
  }

  private static Optional<Throwable> whileShrinking(long seed, Request request) throws IOException {
    var random = new SplittableRandom(seed);
    SimMachine machine = machine(random, Faults.none());
    SimEngine engine = SimEngine.load(machine, new Parameters());
    TrackedDevice device = attach(engine, machine);
    device.writeZeroes(0, SIZE, true);
    machine.quiet(false);
    var scheduler = new SimScheduler(random.split());
    List<Throwable> failures = new ArrayList<>();
    int delay = random.nextInt(60);
    scheduler.start("resize", () -> resize(engine, SIZE / 2));
    scheduler.start(
        "client",
        () -> {
          for (int i = 0; i < delay; i++) {
            SimScheduler.giveWay();
          }
          try {
            request.run(device);
          } catch (IOException | RuntimeException e) {
            failures.add(e);
          }
        });
    scheduler.run();
    machine.quiet(true);
    return failures.stream().findFirst();
  }
}
