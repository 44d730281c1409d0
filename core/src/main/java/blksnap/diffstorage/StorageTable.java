package blksnap.diffstorage;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.Directories;
import blksnap.linux.FileStatus;
import blksnap.linux.NativeFile;
import blksnap.param.Parameter;
import blksnap.param.Parameters;
import blksnap.sector.SectorRange;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.Condition;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Every diff storage of the engine, by number. Safe from many threads; looking one up takes no
 * lock.
 */
public final class StorageTable {
  /** Refuses a file that must not become diff storage, such as a device that is tracked. */
  public interface Guard {
    void check(Path path, FileStatus status) throws BlkSnapException;
  }

  private final Parameters parameters;
  private final Guard guard;
  private final LongSupplier nanoClock;
  private final RoomWait roomWait;
  private final AtomicReferenceArray<@Nullable DiffStorage> storages =
      new AtomicReferenceArray<>(Location.MAX_STORAGES - 1);

  public StorageTable(Parameters parameters, Guard guard) {
    this(parameters, guard, System::nanoTime, Condition::awaitNanos);
  }

  /**
   * As the other one.
   *
   * @param nanoClock monotonic, for the rate at which storages fill
   */
  public StorageTable(
      Parameters parameters, Guard guard, LongSupplier nanoClock, RoomWait roomWait) {
    this.parameters = parameters;
    this.guard = guard;
    this.nanoClock = nanoClock;
    this.roomWait = roomWait;
  }

  /**
   * Whether a storage may have this number; the highest would look like {@link Location#ZEROES}.
   */
  public static boolean isNumber(int number) {
    return number >= 0 && number < Location.MAX_STORAGES - 1;
  }

  /**
   * Makes the diff storage of a snapshot.
   *
   * @param path a file that is not there or is empty, and will grow; a file without data, used as
   *     it is; a directory, in which a file is made; or a block device
   * @param limitBytes most bytes used of it
   * @throws BlkSnapException {@code EINVAL} for a limit below one chunk; {@code EEXIST} for a file
   *     with data; {@code EBUSY} when it is in use; what the file system says
   */
  public DiffStorage create(
      UUID snapshot,
      Path path,
      OptionalLong limitBytes,
      StorageListener listener,
      DiffStorage.RangeKeeper keeper)
      throws IOException {
    long least = 1L << parameters.get(Parameter.CHUNK_MINIMUM_SHIFT);
    if (limitBytes.isPresent() && limitBytes.getAsLong() < least) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "a limit of " + limitBytes.getAsLong() + " bytes is below one chunk of " + least);
    }
    Optional<Path> fresh = freshFile(snapshot, path);
    DiffStorage storage = enter(snapshot, listener);
    boolean done = false;
    try {
      if (fresh.isPresent()) {
        // Remembered before it is made: who is killed in between leaves no file that nobody knows.
        keeper.keep(storage, List.of(StorageRange.freshDescription(fresh.get(), limitBytes)));
        add(storage, StorageRange.growable(fresh.get(), limitBytes, false), (s, ranges) -> {});
        Directories.syncEntry(fresh.get());
      } else {
        add(storage, openExisting(path, limitBytes), keeper);
      }
      done = true;
      return storage;
    } finally {
      if (!done) {
        if (fresh.isPresent()) {
          discard(storage, keeper);
        }
        storages.set(storage.number(), null);
      }
    }
  }

  /** Makes a diff storage without any room yet, and asks for some. */
  public DiffStorage createEmpty(UUID snapshot, StorageListener listener) throws BlkSnapException {
    DiffStorage storage = enter(snapshot, listener);
    listener.low(parameters.get(Parameter.DIFF_STORAGE_MINIMUM));
    return storage;
  }

  /** A failure leaves a record of what was not finished, which the next load removes. */
  private static void discard(DiffStorage storage, DiffStorage.RangeKeeper keeper) {
    try {
      storage.remove();
      keeper.forget(storage);
    } catch (IOException e) {
      // What made the storage fail is thrown already.
    }
  }

  private static void add(DiffStorage storage, StorageRange range, DiffStorage.RangeKeeper keeper)
      throws IOException {
    boolean added = false;
    try {
      storage.add(List.of(range), keeper);
      added = true;
    } finally {
      if (!added) {
        range.remove();
      }
    }
  }

  /** The file to be made; empty when {@code path} is to be used as it is. */
  private Optional<Path> freshFile(UUID snapshot, Path path) throws IOException {
    if (!Files.exists(path)) {
      Path parent = path.getParent();
      if (parent == null || !Files.isDirectory(parent)) {
        throw new BlkSnapException(
            Errno.ENOENT, "there is no directory " + parent + " for diff storage " + path);
      }
      return Optional.of(path);
    }
    return check(path).isDirectory()
        ? Optional.of(path.resolve(snapshot + ".diff"))
        : Optional.empty();
  }

  private StorageRange openExisting(Path path, OptionalLong limitBytes) throws IOException {
    FileStatus status = check(path);
    if (status.isRegularFile() && status.sizeBytes() == 0) {
      return StorageRange.growable(path, limitBytes, true);
    }
    return StorageRange.fixed(path, Optional.empty(), limitBytes);
  }

  /** Adds space to the storage of a snapshot; see {@link DiffStorage#append}. */
  public void append(
      DiffStorage storage, Path path, List<SectorRange> parts, DiffStorage.RangeKeeper keeper)
      throws IOException {
    check(path);
    storage.append(path, parts, keeper);
  }

  private FileStatus check(Path path) throws IOException {
    try (NativeFile file = NativeFile.open(path, Set.of(NativeFile.Flag.IDENTIFY))) {
      FileStatus status = file.stat();
      if (!status.isRegularFile() && !status.isBlockDevice() && !status.isDirectory()) {
        throw new BlkSnapException(
            Errno.EINVAL,
            path
                + " is "
                + status.kind()
                + ", and cannot be diff storage: name a file, a directory or a block"
                + " device");
      }
      guard.check(path, status);
      return status;
    }
  }

  private DiffStorage enter(UUID snapshot, StorageListener listener) throws BlkSnapException {
    for (int number = 0; number < storages.length(); number++) {
      if (storages.get(number) == null) {
        var storage = new DiffStorage(number, snapshot, parameters, listener, nanoClock, roomWait);
        if (storages.compareAndSet(number, null, storage)) {
          return storage;
        }
      }
    }
    throw new BlkSnapException(
        Errno.ENOSPC, "there are " + storages.length() + " diff storages, the most there can be");
  }

  /**
   * Opens a storage of an earlier process again.
   *
   * @throws BlkSnapException {@code EBADMSG} when a file does not hold this storage's header
   */
  public DiffStorage reopen(
      int number, UUID snapshot, List<RangeDescription> descriptions, StorageListener listener)
      throws IOException {
    var storage = new DiffStorage(number, snapshot, parameters, listener, nanoClock, roomWait);
    List<StorageRange> opened = new ArrayList<>();
    boolean done = false;
    try {
      for (RangeDescription description : descriptions) {
        StorageRange range = StorageRange.reopen(description, opened);
        opened.add(range);
        ByteBuffer block = ByteBuffer.allocateDirect(Location.BLOCK_BYTES);
        range.read(0, block);
        var expected = new StorageHeader(snapshot, number, opened.size() - 1);
        StorageHeader found = StorageHeader.decode(description.path().toString(), block.flip());
        if (!found.equals(expected)) {
          throw new BlkSnapException(
              Errno.EBADMSG,
              description.path() + " is diff storage of snapshot " + found.snapshot());
        }
      }
      storage.restore(opened);
      if (!storages.compareAndSet(number, null, storage)) {
        throw new BlkSnapException(Errno.EBADMSG, "diff storage number " + number + " is taken");
      }
      done = true;
      return storage;
    } finally {
      if (!done) {
        for (StorageRange range : opened) {
          range.close();
        }
      }
    }
  }

  /**
   * Keeps the place of a storage that cannot be opened: its number must not be given to another one
   * while a mapping may still name it. Reading from it is {@code EIO}, and there is never room in
   * it.
   */
  public DiffStorage missing(
      int number, UUID snapshot, List<RangeDescription> descriptions, StorageListener listener)
      throws BlkSnapException {
    var storage =
        new DiffStorage(number, snapshot, parameters, listener, nanoClock, roomWait, descriptions);
    if (!storages.compareAndSet(number, null, storage)) {
      throw new BlkSnapException(Errno.EBADMSG, "diff storage number " + number + " is taken");
    }
    return storage;
  }

  /**
   * The storage that a location lies in.
   *
   * @throws BlkSnapException {@code EIO} when it could not be opened again after a restart
   */
  public DiffStorage of(long location) throws BlkSnapException {
    DiffStorage storage = storages.get(Location.storage(location));
    if (storage == null) {
      throw new BlkSnapException(
          Errno.EIO, "diff storage " + Location.storage(location) + " is missing");
    }
    return storage;
  }

  /**
   * The storage that a location lies in; empty when it could not be opened again after a restart.
   */
  public Optional<DiffStorage> find(long location) {
    return Optional.ofNullable(storages.get(Location.storage(location)));
  }

  /** Every storage there is. */
  public List<DiffStorage> all() {
    List<DiffStorage> all = new ArrayList<>();
    for (int number = 0; number < storages.length(); number++) {
      DiffStorage storage = storages.get(number);
      if (storage != null) {
        all.add(storage);
      }
    }
    return all;
  }

  /**
   * Removes the storages that nothing needs any more, with the files that were made for them. Their
   * numbers are given away again only after they are forgotten: else what is forgotten would be
   * their successor.
   *
   * @param failed told of each file and record that stays
   */
  public void removeUnused(DiffStorage.RangeKeeper keeper, Consumer<IOException> failed) {
    for (DiffStorage storage : all()) {
      if (storage.beginRemoval()) {
        try {
          storage.remove();
        } catch (IOException e) {
          failed.accept(e);
        }
        try {
          keeper.forget(storage);
        } catch (IOException e) {
          failed.accept(e);
        }
        storages.set(storage.number(), null);
      }
    }
  }
}
