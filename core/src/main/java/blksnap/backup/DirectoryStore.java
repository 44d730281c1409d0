package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.Directories;
import blksnap.linux.NativeFile;
import blksnap.qcow2.ByteFile;
import blksnap.qcow2.LocalFile;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Stream;

/** Backups in a directory: one below it for each device. */
public final class DirectoryStore implements BackupStore {
  private static final String UNFINISHED = ".part";
  private static final String LOCK = ".lock";

  private final Path directory;

  /**
   * @param directory absolute; made when something is written
   */
  public DirectoryStore(Path directory) {
    this.directory = directory;
  }

  @Override
  public String name() {
    return directory.toString();
  }

  @Override
  public List<String> devices() throws IOException {
    try (Stream<Path> all = Files.list(directory)) {
      return all.filter(path -> Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS))
          .map(path -> String.valueOf(path.getFileName()))
          .filter(name -> PointNames.DEVICE.matcher(name).matches())
          .sorted()
          .toList();
    } catch (NoSuchFileException e) {
      throw new BlkSnapException(Errno.ENOENT, "there is no directory " + directory, e);
    } catch (NotDirectoryException e) {
      throw new BlkSnapException(Errno.ENOTDIR, directory + " is no directory", e);
    }
  }

  @Override
  public List<String> files(String device) throws IOException {
    try (Stream<Path> all = Files.list(directory.resolve(device))) {
      return all.map(path -> String.valueOf(path.getFileName()))
          .filter(name -> !name.startsWith(".") && !name.endsWith(UNFINISHED))
          .sorted()
          .toList();
    } catch (NoSuchFileException _) {
      return List.of();
    }
  }

  private Path path(String device, String file) {
    return directory.resolve(device).resolve(file);
  }

  @Override
  public byte[] read(String device, String file, int mostBytes) throws IOException {
    try (ByteFile opened = open(device, file)) {
      if (opened.sizeBytes() > mostBytes) {
        throw new BlkSnapException(
            Errno.EFBIG, opened.name() + " has " + opened.sizeBytes() + " bytes");
      }
      ByteBuffer content = ByteBuffer.allocateDirect((int) opened.sizeBytes());
      opened.read(0, content);
      byte[] bytes = new byte[content.capacity()];
      content.get(0, bytes);
      return bytes;
    }
  }

  @Override
  public void write(String device, String file, byte[] content) throws IOException {
    try (LocalDraft draft = begin(path(device, file))) {
      LocalFile.writeFully(
          draft.file(), 0, ByteBuffer.allocateDirect(content.length).put(content).flip());
      draft.publish();
    }
  }

  /** It is renamed. */
  @Override
  public Optional<Unsent> keep(Manifest point, Optional<UUID> below, Transfer transfer) {
    return Optional.empty();
  }

  @Override
  public List<Unsent> unsent(String device) {
    return List.of();
  }

  @Override
  public ByteFile open(String device, String file) throws IOException {
    return LocalFile.open(path(device, file));
  }

  @Override
  public Draft draft(String device, String file) throws IOException {
    return begin(path(device, file));
  }

  private static LocalDraft begin(Path place) throws IOException {
    Path beside = place.resolveSibling(place.getFileName() + UNFINISHED);
    Files.deleteIfExists(beside);
    NativeFile opened =
        NativeFile.open(beside, Set.of(NativeFile.Flag.READ_WRITE, NativeFile.Flag.CREATE_NEW));
    return new LocalDraft(opened, beside, place);
  }

  /** A file beside the one that it will be. */
  private static final class LocalDraft implements Draft {
    private final NativeFile opened;
    private final Path beside;
    private final Path place;
    private boolean published;

    LocalDraft(NativeFile opened, Path beside, Path place) {
      this.opened = opened;
      this.beside = beside;
      this.place = place;
    }

    @Override
    public NativeFile file() {
      return opened;
    }

    void publish() throws IOException {
      opened.sync();
      try {
        Files.move(
            beside, place, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      } catch (NoSuchFileException e) {
        throw new BlkSnapException(
            Errno.ENOENT,
            beside + " is gone: what holds it was unmounted, moved or removed meanwhile",
            e);
      }
      published = true;
      Directories.syncEntry(place);
    }

    @Override
    public void publish(Transfer transfer) throws IOException {
      publish();
    }

    @Override
    public void close() throws IOException {
      opened.close();
      if (!published) {
        Files.deleteIfExists(beside);
      }
    }
  }

  @Override
  public void delete(String device, String file) throws IOException {
    Path place = path(device, file);
    if (Files.deleteIfExists(place)) {
      Directories.syncEntry(place);
    }
  }

  @Override
  public Closeable lock(String device) throws IOException {
    Path place = directory.resolve(device);
    make(place);
    NativeFile lock =
        NativeFile.open(
            place.resolve(LOCK), Set.of(NativeFile.Flag.READ_WRITE, NativeFile.Flag.CREATE));
    if (!lock.tryLockExclusive()) {
      lock.close();
      throw new BlkSnapException(
          Errno.EBUSY,
          "the backups of "
              + device
              + " in "
              + directory
              + " are being changed by another process");
    }
    return lock;
  }

  /** Makes a directory, and those above it; the rights of one that is there are its owner's. */
  private static void make(Path place) throws IOException {
    if (Files.isDirectory(place)) {
      return;
    }
    Path parent = place.getParent();
    if (parent != null) {
      make(parent);
    }
    try {
      Files.createDirectory(place);
      Directories.syncEntry(place);
    } catch (FileAlreadyExistsException e) {
      if (!Files.isDirectory(place)) {
        throw new BlkSnapException(Errno.ENOTDIR, place + " is no directory", e);
      }
    }
  }

  @Override
  public void removeDrafts(String device) throws IOException {
    try (Stream<Path> all = Files.list(directory.resolve(device))) {
      for (Path path : all.toList()) {
        if (String.valueOf(path.getFileName()).endsWith(UNFINISHED)) {
          Files.deleteIfExists(path);
        }
      }
    }
  }

  @Override
  public void close() {}
}
