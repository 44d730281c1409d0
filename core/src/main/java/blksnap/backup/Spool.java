package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Closing;
import blksnap.error.Errno;
import blksnap.linux.Directories;
import blksnap.linux.NativeFile;
import blksnap.linux.Sha256;
import blksnap.state.Fields;
import blksnap.state.StateFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Files of this machine that are put together for a store of objects, and the records of them,
 * which lie elsewhere and are there before the files are: so nothing that a kill leaves is
 * forgotten. Their fields stand in {@code docs/formats.md}. What there is of a device belongs to
 * who has it locked in the store.
 */
final class Spool {
  private static final String DRAFT = ".draft";
  private static final String UNSENT = ".unsent";

  private final Path files;
  private final Path records;
  private final String place;

  /**
   * @param files directory for the files
   * @param records directory for the records, made for us alone
   * @param place tells the store from every other one
   */
  Spool(Path files, Path records, String place) {
    this.files = files;
    this.records = records;
    this.place = place;
  }

  /** A file that is being put together, and its record. */
  record Draft(NativeFile file, Path record) {}

  /**
   * A file that is complete.
   *
   * @param name that it will have in the store
   * @param upload that the store knows; empty: it is put at once
   */
  record Item(String name, Path path, Parcel parcel, Optional<String> upload) {}

  /**
   * A point whose files are complete.
   *
   * @param below id of the point that its image leans on
   */
  record Kept(Manifest point, Optional<UUID> below, List<Item> items) {
    Kept {
      items = List.copyOf(items);
    }

    Kept with(Item item) {
      return new Kept(
          point,
          below,
          items.stream().map(one -> one.name().equals(item.name()) ? item : one).toList());
    }
  }

  /** What a record of a complete point was found to be; empty when it cannot be read. */
  record Found(Path record, Optional<Kept> kept) {}

  private Path directory(String device) {
    byte[] hash = Sha256.create().digest(place.getBytes(StandardCharsets.UTF_8));
    return records.resolve(device + "-" + HexFormat.of().formatHex(hash, 0, 8));
  }

  Draft create(String device) throws IOException {
    Path directory = directory(device);
    Directories.make(directory);
    UUID id = UUID.randomUUID();
    Path path = files.resolve("blksnap-" + id + ".part");
    Path record = directory.resolve(id + DRAFT);
    StateFile.write(
        record,
        new Fields().put("store", place).put("device", device).put("path", path.toString()));
    try {
      Set<NativeFile.Flag> flags = Set.of(NativeFile.Flag.READ_WRITE, NativeFile.Flag.CREATE_NEW);
      return new Draft(NativeFile.open(path, flags), record);
    } catch (IOException | RuntimeException e) {
      Closing.after(e, List.of(() -> StateFile.remove(record)));
      throw e;
    }
  }

  /** Removes a file and its record. */
  void remove(Draft draft) throws IOException {
    Files.deleteIfExists(draft.file.path());
    StateFile.remove(draft.record);
  }

  /** Makes it durable that drafts are the files of a point now; its record. */
  Path keep(Kept kept, List<Draft> drafts) throws IOException {
    Path record = directory(kept.point.device()).resolve(kept.point.id() + UNSENT);
    write(record, kept);
    for (Draft draft : drafts) {
      StateFile.remove(draft.record);
    }
    return record;
  }

  void write(Path record, Kept kept) throws IOException {
    var fields =
        new Fields()
            .put("store", place)
            .put("device", kept.point.device())
            .put("point", kept.point.name())
            .put("manifest", new String(kept.point.encode(), StandardCharsets.UTF_8));
    kept.below.ifPresent(id -> fields.put("below", id.toString()));
    fields.put("files", kept.items.stream().map(Spool::encode).toList());
    StateFile.write(record, fields);
  }

  private static Fields encode(Item item) {
    Fields fields = item.parcel.encode().put("name", item.name).put("path", item.path.toString());
    item.upload.ifPresent(id -> fields.put("upload", id));
    return fields;
  }

  private List<Path> list(String device, String ending) throws IOException {
    try (Stream<Path> all = Files.list(directory(device))) {
      return all.filter(path -> path.toString().endsWith(ending)).sorted().toList();
    } catch (NoSuchFileException _) {
      return List.of();
    }
  }

  List<Found> kept(String device) throws IOException {
    List<Found> found = new ArrayList<>();
    for (Path record : list(device, UNSENT)) {
      try {
        found.add(new Found(record, Optional.of(decode(StateFile.read(record), device, record))));
      } catch (BlkSnapException e) {
        if (e.errno() != Errno.EBADMSG) {
          throw e;
        }
        found.add(new Found(record, Optional.empty()));
      }
    }
    return found;
  }

  private static Kept decode(Fields fields, String device, Path record) throws BlkSnapException {
    Manifest point =
        Manifest.decode(
            fields.text("manifest").getBytes(StandardCharsets.UTF_8),
            device,
            fields.text("point"),
            record.toString());
    List<Item> items = new ArrayList<>();
    for (Fields file : fields.list("files")) {
      items.add(
          new Item(
              file.text("name"),
              Path.of(file.text("path")),
              Parcel.decode(file),
              file.has("upload") ? Optional.of(file.text("upload")) : Optional.empty()));
    }
    return new Kept(
        point, fields.has("below") ? Optional.of(fields.uuid("below")) : Optional.empty(), items);
  }

  /** Removes a complete point from this machine. */
  void remove(Found found) throws IOException {
    if (found.kept.isPresent()) {
      for (Item item : found.kept.get().items) {
        Files.deleteIfExists(item.path);
      }
    }
    StateFile.remove(found.record);
  }

  /** Removes what killed processes have left that was not complete. */
  void removeDrafts(String device) throws IOException {
    Set<Path> complete =
        kept(device).stream()
            .flatMap(found -> found.kept.stream())
            .flatMap(kept -> kept.items.stream())
            .map(Item::path)
            .collect(Collectors.toSet());
    for (Path record : list(device, DRAFT)) {
      try {
        Path path = Path.of(StateFile.read(record).text("path"));
        if (!complete.contains(path)) { // a kill came between the two records
          Files.deleteIfExists(path);
        }
      } catch (BlkSnapException e) {
        if (e.errno() != Errno.EBADMSG) {
          throw e;
        }
      }
      StateFile.remove(record);
    }
    for (Path beside : list(device, StateFile.UNFINISHED)) {
      Files.deleteIfExists(beside);
    }
  }

  /** Leaves no empty directory. */
  void tidy(String device) throws IOException {
    Path directory = directory(device);
    if (Directories.isDirectory(directory) && list(device, "").isEmpty()) {
      Files.deleteIfExists(directory);
    }
  }
}
