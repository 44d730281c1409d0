package blksnap.sim.oracle;

import blksnap.diffio.DiffIo;
import blksnap.diffstorage.RoomWait;
import blksnap.diffstorage.StorageTable;
import blksnap.log.LogRing;
import blksnap.param.Parameters;
import blksnap.sim.machine.SimMachine;
import blksnap.snapshot.SnapshotContext;
import blksnap.snapshot.SnapshotTable;
import blksnap.tracker.TrackerTable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.function.LongSupplier;

/** The engine, without its servers, on a simulated machine. */
final class SimEngine {
  final LogRing log = new LogRing();
  final DiffIo diffIo;
  final TrackerTable trackers;
  final StorageTable storages;
  final SnapshotTable snapshots;

  private SimEngine(SimMachine machine, Parameters parameters, RoomWait roomWait) {
    Path state = machine.path("/state");
    diffIo = new DiffIo(parameters);
    trackers = new TrackerTable(state.resolve("devices"), parameters, machine.clock(), log);
    LongSupplier nanoClock = new AtomicLong()::incrementAndGet;
    storages = new StorageTable(parameters, trackers::refuse, nanoClock, roomWait);
    snapshots =
        new SnapshotTable(
            new SnapshotContext(
                state, trackers, storages, diffIo, parameters, log, nanoClock, machine.clock()));
  }

  /** As the other one, for who never waits for room. */
  static SimEngine load(SimMachine machine, Parameters parameters) throws IOException {
    return load(machine, parameters, Condition::awaitNanos);
  }

  static SimEngine load(SimMachine machine, Parameters parameters, RoomWait roomWait)
      throws IOException {
    var engine = new SimEngine(machine, parameters, roomWait);
    engine.trackers.attachAgain();
    engine.snapshots.recover();
    return engine;
  }

  /** As an unload does. */
  void unload(boolean destroy) throws IOException {
    if (destroy) {
      snapshots.destroyAll(true);
    }
    snapshots.leaveAll();
    trackers.close();
  }
}
