package blksnap.sim.oracle;

import blksnap.diffio.DiffIo;
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

/** The engine, without its servers, on a simulated machine. */
final class SimEngine {
  final LogRing log = new LogRing();
  final DiffIo diffIo;
  final TrackerTable trackers;
  final StorageTable storages;
  final SnapshotTable snapshots;

  private SimEngine(SimMachine machine, Parameters parameters) {
    Path state = machine.path("/state");
    diffIo = new DiffIo(parameters);
    trackers = new TrackerTable(state.resolve("devices"), parameters, machine.clock(), log);
    storages = new StorageTable(parameters, trackers::refuse);
    snapshots =
        new SnapshotTable(
            new SnapshotContext(
                state,
                trackers,
                storages,
                diffIo,
                parameters,
                log,
                new AtomicLong()::incrementAndGet,
                machine.clock()));
  }

  static SimEngine load(SimMachine machine, Parameters parameters) throws IOException {
    var engine = new SimEngine(machine, parameters);
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
