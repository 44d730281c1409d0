package blksnap.snapshot;

import blksnap.diffio.DiffIo;
import blksnap.diffstorage.StorageTable;
import blksnap.log.LogRing;
import blksnap.param.Parameters;
import blksnap.tracker.TrackerTable;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.function.LongSupplier;

/**
 * What snapshots stand on.
 *
 * @param directory where they are remembered; {@code snapshots} and {@code storages} in the state
 *     directory
 * @param nanoClock monotonic, for events and pauses
 * @param wallClock for the time of a take
 */
public record SnapshotContext(
    Path directory,
    TrackerTable trackers,
    StorageTable storages,
    DiffIo diffIo,
    Parameters parameters,
    LogRing log,
    LongSupplier nanoClock,
    InstantSource wallClock) {}
