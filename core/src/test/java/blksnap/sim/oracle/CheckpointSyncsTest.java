package blksnap.sim.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.diffarea.FullPolicy;
import blksnap.diffstorage.Location;
import blksnap.param.Parameter;
import blksnap.param.Parameters;
import blksnap.sim.machine.Faults;
import blksnap.sim.machine.SimMachine;
import blksnap.snapshot.Durability;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotConfig;
import blksnap.tracker.TrackedDevice;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** What checkpoints cost: calls that wait for a disk, counted. */
class CheckpointSyncsTest {
  private static final int BLOCKS = 128;
  private static final int USES = 20;
  private static final int ROUNDS = 60;
  private static final int MOST_SYNCS = 2;

  /** After so many without a write every region is closed, though nobody ever flushed. */
  private static final int ROUNDS_TO_REST = 10;

  private static final long CHECKPOINT_MILLIS = 5_000;

  private final SplittableRandom random = new SplittableRandom(1);
  private final SimMachine machine =
      new SimMachine(random.split(), SimMachine.Entries.JOURNAL, Faults.none());

  /** A device with a snapshot on it, and regions of 64 KiB. */
  private SimEngine load() throws IOException {
    for (String directory : List.of("/state", "/storage", "/disks")) {
      machine.makeDirectory(directory);
    }
    machine.makeFile("/disks/vm1.img", (long) BLOCKS * Location.BLOCK_BYTES);
    var parameters = new Parameters();
    parameters.set(Parameter.TRACKING_BLOCK_MINIMUM_SHIFT, 12);
    parameters.set(Parameter.WRITE_INTENT_REGION_SHIFT, DiskModel.REGION_SHIFT);
    SimEngine engine = SimEngine.load(machine, parameters);
    engine.trackers.attach(machine.path("/disks/vm1.img"), Optional.of("vm1"), false, false);
    Snapshot snapshot =
        engine.snapshots.create(
            List.of("vm1"),
            machine.path("/storage/s"),
            OptionalLong.empty(),
            new SnapshotConfig("s", Durability.POWER, FullPolicy.BREAK));
    engine.snapshots.take(snapshot);
    return engine;
  }

  /** The syncs of the next one. */
  private long checkpoint(SimEngine engine) {
    machine.advanceMillis(CHECKPOINT_MILLIS);
    long before = machine.syncs();
    engine.trackers.checkpoint();
    return machine.syncs() - before;
  }

  private void write(TrackedDevice device) throws IOException {
    long offset = (long) random.nextInt(BLOCKS) * Location.BLOCK_BYTES;
    device.write(offset, Stamps.filled(random.nextInt(1_000), 8));
  }

  @Test
  void makesTwoSyncsOfADeviceAtMostHoweverItIsUsed() throws Exception {
    SimEngine engine = load();
    TrackedDevice device = engine.trackers.find("vm1").device();
    int most = 0;
    for (int use = 0; use < USES; use++) {
      int writes = 1 + random.nextInt(20); // from a region or two to all of them
      int oneInWrites = 1 + random.nextInt(4);
      int oneInFlushes = 1 + random.nextInt(12);
      for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < writes && random.nextInt(oneInWrites) == 0; i++) {
          write(device);
        }
        if (random.nextInt(oneInFlushes) == 0) {
          device.flush();
        }
        long syncs = checkpoint(engine);
        assertThat(syncs).as("use %d, round %d", use, round).isLessThanOrEqualTo(MOST_SYNCS);
        most = Math.max(most, (int) syncs);
      }
    }
    assertThat(most).isEqualTo(MOST_SYNCS);
  }

  @Test
  void makesNoSyncOfADeviceThatNobodyWritesTo() throws Exception {
    SimEngine engine = load();
    TrackedDevice device = engine.trackers.find("vm1").device();
    assertThat(checkpoint(engine)).as("never written to").isZero();
    for (int i = 0; i < BLOCKS; i++) {
      write(device);
    }
    long resting = 0;
    for (int round = 0; round < ROUNDS_TO_REST; round++) {
      resting += checkpoint(engine);
    }
    assertThat(resting).as("while it comes to rest").isPositive();
    for (int round = 0; round < ROUNDS; round++) {
      assertThat(checkpoint(engine)).as("round %d", round).isZero();
    }
  }
}
