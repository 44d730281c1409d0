package blksnap.sim;

import blksnap.device.BlockDevice;
import blksnap.diffarea.FullPolicy;
import blksnap.diffio.DiffIo;
import blksnap.diffstorage.StorageTable;
import blksnap.log.LogRing;
import blksnap.param.Parameter;
import blksnap.param.Parameters;
import blksnap.snapshot.Durability;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotConfig;
import blksnap.snapshot.SnapshotContext;
import blksnap.snapshot.SnapshotPart;
import blksnap.snapshot.SnapshotTable;
import blksnap.tracker.TrackerTable;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Real devices, trackers, storage and snapshots in a directory of a test: the engine without its
 * servers.
 */
public final class World implements Closeable {
  private final Path directory;
  private final Parameters parameters = new Parameters();
  private final LogRing log = new LogRing();
  private final DiffIo diffIo;
  private final StorageTable storages;
  private final TrackerTable trackers;
  private final SnapshotTable snapshots;
  private int storageFiles;

  /** Small chunks, blocks and portions, so that small devices meet every edge. */
  public World(Path directory) throws IOException {
    this(directory, 14, 12);
  }

  public World(Path directory, int chunkShift, int trackingShift) throws IOException {
    this.directory = directory;
    parameters.set(Parameter.CHUNK_MINIMUM_SHIFT, chunkShift);
    parameters.set(Parameter.TRACKING_BLOCK_MINIMUM_SHIFT, trackingShift);
    parameters.set(Parameter.DIFF_STORAGE_MINIMUM, 2_048);
    this.diffIo = new DiffIo(parameters);
    Path state = Files.createDirectories(directory.resolve("state"));
    this.trackers =
        new TrackerTable(state.resolve("devices"), parameters, InstantSource.system(), log);
    trackers.start();
    this.storages = new StorageTable(parameters, trackers::refuse);
    this.snapshots =
        new SnapshotTable(
            new SnapshotContext(
                state,
                trackers,
                storages,
                diffIo,
                parameters,
                log,
                System::nanoTime,
                InstantSource.system()));
    snapshots.recover();
  }

  public Parameters parameters() {
    return parameters;
  }

  public TrackerTable trackers() {
    return trackers;
  }

  public SnapshotTable snapshots() {
    return snapshots;
  }

  public StorageTable storages() {
    return storages;
  }

  public LogRing log() {
    return log;
  }

  public DiffIo diffIo() {
    return diffIo;
  }

  public Path directory() {
    return directory;
  }

  /** Makes a file with this content and attaches it. */
  public TrackerTable.Attached attach(String name, byte[] content) throws IOException {
    Path file = directory.resolve(name + ".img");
    Files.write(file, content);
    return trackers.attach(file, Optional.of(name), false, false);
  }

  /** A taken snapshot with a storage file of its own. */
  public Snapshot take(Durability durability, String... devices) throws IOException {
    Snapshot snapshot = create(durability, OptionalLong.empty(), FullPolicy.BREAK, devices);
    snapshots.take(snapshot);
    return snapshot;
  }

  public Snapshot create(
      Durability durability, OptionalLong limit, FullPolicy onFull, String... devices)
      throws IOException {
    Path storage = directory.resolve("storage" + storageFiles++ + ".diff");
    return snapshots.create(
        List.of(devices), storage, limit, new SnapshotConfig("", durability, onFull));
  }

  /** The image of a device in a snapshot that is taken. */
  public static BlockDevice image(Snapshot snapshot, String device) {
    return ((SnapshotPart.Taken) snapshot.part(device).orElseThrow()).image();
  }

  @Override
  public void close() throws IOException {
    snapshots.destroyAll(true);
    trackers.close();
  }
}
