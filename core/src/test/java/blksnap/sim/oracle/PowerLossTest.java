package blksnap.sim.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.diffarea.FullPolicy;
import blksnap.diffstorage.Location;
import blksnap.param.Parameter;
import blksnap.param.Parameters;
import blksnap.sector.ByteRange;
import blksnap.sim.machine.Faults;
import blksnap.sim.machine.SimMachine;
import blksnap.snapshot.Durability;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotConfig;
import blksnap.snapshot.SnapshotPart;
import blksnap.tracker.TrackedDevice;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** What a power loss may take and must be made good, one case at a time. */
class PowerLossTest {
  private static final int BLOCKS = 64;
  private static final int ENOUGH_CHECKPOINTS = 10;
  private static final int SEEDS = 20; // how much of a page is lost is a choice of the machine

  private static SimMachine machine(long seed) {
    var machine =
        new SimMachine(new SplittableRandom(seed), SimMachine.Entries.JOURNAL, Faults.none());
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
}
