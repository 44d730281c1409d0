package blksnap.snapshot;

import blksnap.diffstorage.DiffStorage;
import blksnap.diffstorage.RangeDescription;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import blksnap.state.StateFile;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The files of snapshots and of their storages: {@code snapshots/<uuid>/snapshot} (the record),
 * {@code snapshots/<uuid>/<device>/frozen} and {@code .../map/} for each device of it, {@code
 * storages/<number>}.
 */
final class SnapshotStore {
  private final Path snapshots;
  private final Path storages;
  private final LogRing log;

  SnapshotStore(Path directory, LogRing log) {
    this.snapshots = directory.resolve("snapshots");
    this.storages = directory.resolve("storages");
    this.log = log;
  }

  void makeDirectories() throws IOException {
    Files.createDirectories(snapshots);
    Files.createDirectories(storages);
  }

  private Path home(UUID id) {
    return snapshots.resolve(id.toString());
  }

  /** The directory of one device of a snapshot. */
  Path part(UUID id, String device) {
    return home(id).resolve(device);
  }

  void save(SnapshotRecord record) throws IOException {
    Files.createDirectories(home(record.id()));
    StateFile.write(home(record.id()).resolve("snapshot"), record.toJson());
  }

  /**
   * Forgets a snapshot: after this no load finds it. The rest of its directory goes with {@link
   * #clear}.
   */
  void forget(UUID id) throws IOException {
    Files.deleteIfExists(home(id).resolve("snapshot"));
    if (Files.exists(home(id))) {
      StateFile.syncDirectory(home(id));
    }
  }

  void clear(UUID id) throws IOException {
    deleteTree(home(id));
  }

  void clearPart(UUID id, String device) throws IOException {
    deleteTree(part(id, device));
  }

  private static void deleteTree(Path top) throws IOException {
    if (!Files.exists(top)) {
      return;
    }
    Files.walkFileTree(
        top,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException failure)
              throws IOException {
            if (failure != null) {
              throw failure;
            }
            Files.delete(directory);
            return FileVisitResult.CONTINUE;
          }
        });
  }

  /**
   * Every record; what has none was forgotten and is cleared, what is damaged is named in the log.
   */
  List<SnapshotRecord> records() throws IOException {
    List<SnapshotRecord> records = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(snapshots)) {
      for (Path entry : entries) {
        try {
          records.add(SnapshotRecord.fromJson(StateFile.read(entry.resolve("snapshot"))));
        } catch (BlkSnapException e) {
          if (e.errno() == Errno.ENOENT) {
            deleteTree(entry);
          } else {
            log.error("snapshot " + entry.getFileName() + " is lost: " + e.sentence());
          }
        }
      }
    }
    return records;
  }

  /** What to open a storage again with. */
  record StorageRecord(int number, UUID snapshot, List<RangeDescription> ranges) {}

  void save(DiffStorage storage) throws IOException {
    var json = new JsonObject();
    json.addProperty("number", storage.number());
    json.addProperty("snapshot", storage.snapshot().toString());
    var ranges = new JsonArray();
    for (RangeDescription range : storage.describe()) {
      var entry = new JsonObject();
      entry.addProperty("path", range.path());
      entry.addProperty("offset", range.offset());
      range.limitBytes().ifPresent(limit -> entry.addProperty("limit", limit));
      entry.addProperty("growable", range.growable());
      entry.addProperty("made", range.made());
      ranges.add(entry);
    }
    json.add("ranges", ranges);
    StateFile.write(storages.resolve(Integer.toString(storage.number())), json);
  }

  void forgetStorage(int number) throws IOException {
    Files.deleteIfExists(storages.resolve(Integer.toString(number)));
  }

  List<StorageRecord> storageRecords() throws IOException {
    List<StorageRecord> records = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(storages)) {
      for (Path entry : entries) {
        try {
          records.add(storageRecord(StateFile.read(entry)));
        } catch (BlkSnapException e) {
          log.error("diff storage record " + entry.getFileName() + " is lost: " + e.sentence());
        } catch (RuntimeException e) { // a field is missing or of another type
          log.error("diff storage record " + entry.getFileName() + " is damaged");
        }
      }
    }
    return records;
  }

  private static StorageRecord storageRecord(JsonObject json) {
    List<RangeDescription> ranges = new ArrayList<>();
    for (JsonElement element : json.getAsJsonArray("ranges")) {
      JsonObject entry = element.getAsJsonObject();
      ranges.add(
          new RangeDescription(
              entry.get("path").getAsString(),
              entry.get("offset").getAsLong(),
              entry.has("limit")
                  ? OptionalLong.of(entry.get("limit").getAsLong())
                  : OptionalLong.empty(),
              entry.get("growable").getAsBoolean(),
              entry.get("made").getAsBoolean()));
    }
    return new StorageRecord(
        json.get("number").getAsInt(), UUID.fromString(json.get("snapshot").getAsString()), ranges);
  }
}
