package blksnap.tracker;

import blksnap.cbt.CbtGeometry;
import blksnap.cbt.CbtMap;
import blksnap.cbt.WriteIntent;
import blksnap.linux.Directories;
import blksnap.sector.ByteRange;
import blksnap.state.StateFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Puts the map of another size, and its write-intent record, in the place of those of a device that
 * is resized: the same generation where its blocks stay as large. What another resize left half
 * done is finished or removed first.
 */
final class MapExchange implements TrackedDevice.Resizing {
  /** A change map and its write-intent record; the latter is exchanged first. */
  static final List<String> FILES = List.of("intent", "cbt");

  private final TrackerStore store;
  private final String name;
  private final Path home;
  private final InstantSource clock;

  /** What it has, whatever the record says: an earlier resize may not have come to its end. */
  private long presentBytes;

  MapExchange(TrackerStore store, String name, InstantSource clock) {
    this.store = store;
    this.name = name;
    this.home = store.home(name);
    this.clock = clock;
  }

  @Override
  public TrackedDevice.Tracking make(TrackedDevice.Tracking before, long newSizeBytes)
      throws IOException {
    presentBytes = before.map().geometry().capacityBytes();
    finish(presentBytes);
    TrackedDevice.Tracking next = store.make(home, newSizeBytes, StateFile.UNFINISHED);
    boolean prepared = false;
    try {
      prepare(next, before, newSizeBytes);
      prepared = true;
      return next;
    } finally {
      if (!prepared) {
        next.intent().close();
        next.map().close();
      }
    }
  }

  private void prepare(
      TrackedDevice.Tracking next, TrackedDevice.Tracking before, long newSizeBytes)
      throws IOException {
    for (ByteRange range : before.intent().openRanges()) { // not flushed, or not yet durable
      long inside = Math.min(range.length(), newSizeBytes - range.offset());
      if (inside > 0) {
        next.intent().open(range.offset(), inside);
      }
    }
    next.intent().open(newSizeBytes - 1, 1); // that the file is changed now is in its lease
    CbtGeometry old = before.map().geometry();
    if (next.map().geometry().blockShift() == old.blockShift()
        && newSizeBytes > old.capacityBytes()) {
      next.map().continueFrom(before.map());
      next.map().mark(old.capacityBytes(), newSizeBytes - old.capacityBytes());
      next.map().force();
    }
    remember(OptionalLong.of(newSizeBytes));
  }

  private void remember(OptionalLong size) throws IOException {
    Optional<DeviceRecord> record = store.record(name);
    if (record.isEmpty()) {
      throw TrackerStore.unknown(name);
    }
    store.save(name, record.get().withResizing(presentBytes, size));
  }

  @Override
  public void commit() throws IOException {
    for (String file : FILES) {
      Path made = unfinished(file);
      if (Directories.exists(made)) {
        Files.move(made, home.resolve(file), StandardCopyOption.REPLACE_EXISTING);
      }
    }
    Directories.sync(home);
  }

  @Override
  public void abandon() {
    try {
      remember(OptionalLong.empty());
    } catch (IOException e) {
      store
          .log()
          .warning("device " + name + ": that it keeps its size is not stored: " + e.getMessage());
    }
  }

  /** Puts maps that were made for this size in place, as far as that is still to be done. */
  void finish(long sizeBytes) throws IOException {
    Path cbt = unfinished("cbt");
    if (Directories.exists(cbt) && sizeOfMap(cbt) != sizeBytes) {
      Files.delete(cbt);
    }
    Path intent = unfinished("intent");
    if (Directories.exists(intent) && sizeOfIntent(intent) != sizeBytes) {
      Files.delete(intent);
    }
    commit();
  }

  private Path unfinished(String file) {
    return home.resolve(file + StateFile.UNFINISHED);
  }

  /** Bytes of the device that it is for; -1 when it is no map. */
  private static long sizeOfMap(Path file) {
    try (CbtMap map = CbtMap.open(file)) {
      return map.geometry().capacityBytes();
    } catch (IOException e) {
      return -1;
    }
  }

  /** As {@link #sizeOfMap}. */
  private long sizeOfIntent(Path file) {
    try (WriteIntent intent = WriteIntent.open(file, clock)) {
      return intent.capacityBytes();
    } catch (IOException e) {
      return -1;
    }
  }
}
