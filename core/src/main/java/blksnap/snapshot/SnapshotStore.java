package blksnap.snapshot;

import blksnap.diffarea.DiffArea;
import blksnap.diffstorage.DiffStorage;
import blksnap.diffstorage.RangeDescription;
import blksnap.diffstorage.StorageTable;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.Directories;
import blksnap.log.LogRing;
import blksnap.state.Fields;
import blksnap.state.StateFile;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
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
  private static final String FORGOTTEN = ".gone";

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
    if (!Directories.exists(home(record.id()))) {
      Directories.make(home(record.id()));
    }
    StateFile.write(home(record.id()).resolve("snapshot"), record.toFields());
  }

  /**
   * Forgets a snapshot, durably: after this no load finds it. Its directory gets another name, by
   * which a load knows it from one that has lost its record, and goes with {@link #clear}.
   */
  void forget(UUID id) throws IOException {
    if (Directories.exists(home(id))) {
      Files.move(home(id), forgotten(id), StandardCopyOption.ATOMIC_MOVE);
      Directories.sync(snapshots);
    }
  }

  private Path forgotten(UUID id) {
    return snapshots.resolve(id + FORGOTTEN);
  }

  void clear(UUID id) throws IOException {
    deleteTree(forgotten(id));
  }

  void clearPart(UUID id, String device) throws IOException {
    deleteTree(part(id, device));
  }

  private static void deleteTree(Path top) throws IOException {
    if (!Directories.exists(top)) {
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
   *
   * @throws IOException also when a record cannot be read just now
   */
  Records records() throws IOException {
    List<SnapshotRecord> records = new ArrayList<>();
    Set<String> damaged = new TreeSet<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(snapshots)) {
      for (Path entry : entries) {
        if (String.valueOf(entry.getFileName()).endsWith(FORGOTTEN)) {
          deleteTree(entry);
          continue;
        }
        if (!isOurs(entry)) {
          log.warning(entry + " is no snapshot of ours and is left alone");
          continue;
        }
        Files.deleteIfExists(entry.resolve("snapshot" + StateFile.UNFINISHED));
        try {
          records.add(record(entry));
          Directories.sync(entry); // who made it may have been killed before it was durable
        } catch (BlkSnapException e) {
          if (e.errno() == Errno.EIO) { // it may be read the next time, with nothing kept for it
            throw e.withHint(
                "its images go on when this works again; if it never will, remove " + entry);
          }
          List<String> parts = partsOf(entry);
          if (e.errno() == Errno.ENOENT && wasForgotten(entry, parts)) {
            deleteTree(entry);
          } else {
            log.error("snapshot " + entry.getFileName() + " is lost: " + e.sentence());
            damaged.addAll(parts);
          }
        }
      }
    }
    Directories.sync(snapshots);
    return new Records(records, damaged);
  }

  private static boolean isOurs(Path entry) throws IOException {
    try {
      String name = String.valueOf(entry.getFileName());
      return UUID.fromString(name).toString().equals(name) && Directories.isDirectory(entry);
    } catch (IllegalArgumentException notAnId) {
      return false;
    }
  }

  /** What is remembered of one that was saved. */
  SnapshotRecord record(UUID id) throws IOException {
    return record(home(id));
  }

  private static SnapshotRecord record(Path home) throws IOException {
    Path file = home.resolve("snapshot");
    try {
      SnapshotRecord record = SnapshotRecord.of(StateFile.read(file));
      if (!home.endsWith(record.id().toString())) {
        throw new BlkSnapException(Errno.EBADMSG, "it is the record of snapshot " + record.id());
      }
      return record;
    } catch (BlkSnapException e) {
      throw e.errno() == Errno.ENOENT
          ? e
          : new BlkSnapException(e.errno(), file + ": " + e.sentence(), e);
    }
  }

  private static List<String> partsOf(Path home) throws IOException {
    List<String> devices = new ArrayList<>();
    try (DirectoryStream<Path> parts = Files.newDirectoryStream(home)) {
      for (Path part : parts) {
        if (Directories.isDirectory(part)) {
          devices.add(String.valueOf(part.getFileName()));
        }
      }
    } catch (DirectoryIteratorException e) {
      throw e.getCause();
    }
    return devices;
  }

  /**
   * Whether a directory without a record is what a destroy, or a create, left when it was cut off.
   * A destroy condemns every area first, so one that is not says that its record was lost.
   */
  private static boolean wasForgotten(Path home, List<String> parts) {
    return parts.stream().allMatch(part -> DiffArea.isCondemned(home.resolve(part).resolve("map")));
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
        OptionalInt number = numberOf(entry);
        if (number.isEmpty()) {
          log.warning(entry + " is no record of ours and is left alone");
          continue;
        }
        try {
          records.add(storageRecord(number.getAsInt(), StateFile.read(entry)));
        } catch (BlkSnapException e) {
          records.add(
              new StorageRecord(number.getAsInt(), new UUID(0, 0), List.of(), Optional.of(e)));
        }
      }
    }
    return records;
  }

  private static OptionalInt numberOf(Path entry) {
    String name = String.valueOf(entry.getFileName());
    if (!name.matches("0|[1-9][0-9]{0,4}")) {
      return OptionalInt.empty();
    }
    int number = Integer.parseInt(name);
    return StorageTable.isNumber(number) ? OptionalInt.of(number) : OptionalInt.empty();
  }

  private Path pathOf(String text) throws BlkSnapException {
    try {
      return storages.getFileSystem().getPath(text);
    } catch (InvalidPathException e) {
      throw new BlkSnapException(Errno.EBADMSG, "a path of diff storage cannot be " + text, e);
    }
  }

  private StorageRecord storageRecord(int number, Fields fields) throws BlkSnapException {
    List<RangeDescription> ranges = new ArrayList<>();
    for (Fields range : fields.list("ranges")) {
      var description =
          new RangeDescription(
              pathOf(range.text("path")),
              range.number("offset"),
              range.optionalNumber("limit"),
              range.flag("growable"),
              range.flag("made"));
      description.check();
      ranges.add(description);
    }
    if (fields.number("number") != number) {
      throw new BlkSnapException(
          Errno.EBADMSG, "it is the record of diff storage " + fields.number("number"));
    }
    return new StorageRecord(number, fields.uuid("snapshot"), ranges, Optional.empty());
  }
}
