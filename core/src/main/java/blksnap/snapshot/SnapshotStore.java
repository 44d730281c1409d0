package blksnap.snapshot;

import blksnap.diffstorage.DiffStorage;
import blksnap.diffstorage.RangeDescription;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.Directories;
import blksnap.log.LogRing;
import blksnap.state.Fields;
import blksnap.state.StateFile;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
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
    Directories.make(snapshots);
    Directories.make(storages);
  }

  private Path home(UUID id) {
    return snapshots.resolve(id.toString());
  }

  /** The directory of one device of a snapshot. */
  Path part(UUID id, String device) {
    return home(id).resolve(device);
  }

  void save(SnapshotRecord record) throws IOException {
    if (!Files.exists(home(record.id()))) {
      Directories.make(home(record.id()));
    }
    StateFile.write(home(record.id()).resolve("snapshot"), record.toFields());
  }

  /**
   * Forgets a snapshot: after this no load finds it. The rest of its directory goes with {@link
   * #clear}.
   */
  void forget(UUID id) throws IOException {
    Files.deleteIfExists(home(id).resolve("snapshot"));
    if (Files.exists(home(id))) {
      Directories.sync(home(id));
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
   * What was found of snapshots.
   *
   * @param devicesOfDamaged devices of snapshots whose record cannot be read: older snapshots of
   *     theirs may have leaned on them
   */
  record Records(List<SnapshotRecord> whole, Set<String> devicesOfDamaged) {}

  /**
   * Every record; what has none was forgotten and is cleared, what is damaged is named in the log.
   */
  Records records() throws IOException {
    List<SnapshotRecord> records = new ArrayList<>();
    Set<String> damaged = new TreeSet<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(snapshots)) {
      for (Path entry : entries) {
        if (Files.isDirectory(entry)) {
          Files.deleteIfExists(entry.resolve("snapshot" + StateFile.UNFINISHED));
        }
        try {
          records.add(SnapshotRecord.of(StateFile.read(entry.resolve("snapshot"))));
          Directories.sync(entry); // who made it may have been killed before it was durable
        } catch (BlkSnapException e) {
          if (e.errno() == Errno.ENOENT) {
            deleteTree(entry);
          } else {
            log.error("snapshot " + entry.getFileName() + " is lost: " + e.sentence());
            try (DirectoryStream<Path> parts =
                Files.newDirectoryStream(entry, part -> Files.isDirectory(part))) {
              parts.forEach(part -> damaged.add(part.getFileName().toString()));
            }
          }
        }
      }
    }
    Directories.sync(snapshots);
    return new Records(records, damaged);
  }

  /**
   * What to open a storage again with.
   *
   * @param damage why the record cannot be read; the number is that of its file then
   */
  record StorageRecord(
      int number,
      UUID snapshot,
      List<RangeDescription> ranges,
      Optional<BlkSnapException> damage) {}

  /**
   * @param described none: forgets the storage
   */
  void save(DiffStorage storage, List<RangeDescription> described) throws IOException {
    if (described.isEmpty()) {
      forgetStorage(storage.number());
      return;
    }
    List<Fields> ranges = new ArrayList<>();
    for (RangeDescription range : described) {
      ranges.add(
          new Fields()
              .put("path", range.path().toString())
              .put("offset", range.offset())
              .put("limit", range.limitBytes())
              .put("growable", range.growable())
              .put("made", range.made()));
    }
    var fields =
        new Fields()
            .put("number", storage.number())
            .put("snapshot", storage.snapshot().toString())
            .put("ranges", ranges);
    StateFile.write(storages.resolve(Integer.toString(storage.number())), fields);
  }

  /** What the table of storages has remembered and forgotten here. */
  DiffStorage.RangeKeeper keeper() {
    return new DiffStorage.RangeKeeper() {
      @Override
      public void keep(DiffStorage storage, List<RangeDescription> ranges) throws IOException {
        save(storage, ranges);
      }

      @Override
      public void forget(DiffStorage storage) throws IOException {
        forgetStorage(storage.number());
      }
    };
  }

  void forgetStorage(int number) throws IOException {
    Files.deleteIfExists(storages.resolve(Integer.toString(number)));
  }

  List<StorageRecord> storageRecords() throws IOException {
    List<StorageRecord> records = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(storages)) {
      for (Path entry : entries) {
        if (StateFile.isUnfinished(entry)) {
          Files.delete(entry);
          continue;
        }
        try {
          records.add(storageRecord(StateFile.read(entry)));
        } catch (BlkSnapException e) {
          try {
            int number = Integer.parseInt(entry.getFileName().toString());
            records.add(new StorageRecord(number, new UUID(0, 0), List.of(), Optional.of(e)));
          } catch (NumberFormatException notOurs) {
            log.warning("diff storage record " + entry.getFileName() + " is left alone");
          }
        }
      }
    }
    return records;
  }

  private StorageRecord storageRecord(Fields fields) throws BlkSnapException {
    List<RangeDescription> ranges = new ArrayList<>();
    for (Fields range : fields.list("ranges")) {
      ranges.add(
          new RangeDescription(
              storages.getFileSystem().getPath(range.text("path")),
              range.number("offset"),
              range.optionalNumber("limit"),
              range.flag("growable"),
              range.flag("made")));
    }
    return new StorageRecord(
        fields.smallNumber("number"), fields.uuid("snapshot"), ranges, Optional.empty());
  }
}
