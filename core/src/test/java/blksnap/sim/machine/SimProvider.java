package blksnap.sim.machine;

import blksnap.error.BlkSnapException;
import blksnap.linux.Processes;
import java.io.IOException;
import java.net.URI;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessMode;
import java.nio.file.CopyOption;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.FileSystemException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileAttributeView;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.UserPrincipal;
import java.nio.file.spi.FileSystemProvider;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Names and directories of a {@link SimMachine}, as {@link java.nio.file.Files} asks for them. */
final class SimProvider extends FileSystemProvider {
  private final SimFileSystem system;
  private final SimMachine machine;

  SimProvider(SimFileSystem system, SimMachine machine) {
    this.system = system;
    this.machine = machine;
  }

  private interface Effect<T> {
    T run() throws IOException;
  }

  private <T> T call(Call call, Path path, Effect<T> effect) throws IOException {
    try {
      machine.enter(call, machine.classOf((SimPath) path), 0, 0);
    } catch (BlkSnapException e) {
      throw new FileSystemException(
          path.toString(),
          null,
          switch (e.errno()) {
            case ENOSPC -> "No space left on device";
            case EROFS -> "Read-only file system";
            default -> "Input/output error";
          });
    }
    try {
      return effect.run();
    } finally {
      machine.leave();
    }
  }

  private Inode require(Path path) throws IOException {
    Inode found = machine.find((SimPath) path);
    if (found == null) {
      throw new NoSuchFileException(path.toString());
    }
    return found;
  }

  private Inode parent(Path path) throws IOException {
    Path parent = path.toAbsolutePath().getParent();
    if (parent == null) {
      throw new FileAlreadyExistsException(path.toString());
    }
    return require(parent);
  }

  private static String name(Path path) {
    return String.valueOf(path.getFileName());
  }

  @Override
  public String getScheme() {
    return "sim";
  }

  @Override
  public FileSystem newFileSystem(URI uri, Map<String, ?> env) {
    throw new UnsupportedOperationException();
  }

  @Override
  public FileSystem getFileSystem(URI uri) {
    return system;
  }

  @Override
  public Path getPath(URI uri) {
    return system.getPath(uri.getSchemeSpecificPart());
  }

  @Override
  public SeekableByteChannel newByteChannel(
      Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes) {
    throw new UnsupportedOperationException("files are opened as NativeFile");
  }

  @Override
  public DirectoryStream<Path> newDirectoryStream(
      Path directory, DirectoryStream.Filter<? super Path> filter) throws IOException {
    List<Path> paths =
        call(
            Call.LIST,
            directory,
            () -> {
              Inode inode = require(directory);
              if (!inode.isDirectory()) {
                throw new NotDirectoryException(directory.toString());
              }
              List<Path> all = new ArrayList<>();
              for (String name : inode.entries.keySet()) {
                all.add(directory.resolve(name));
              }
              return all;
            });
    List<Path> accepted = new ArrayList<>();
    for (Path path : paths) {
      if (filter.accept(path)) {
        accepted.add(path);
      }
    }
    return new DirectoryStream<>() {
      @Override
      public Iterator<Path> iterator() {
        return accepted.iterator();
      }

      @Override
      public void close() {
        // Nothing is held.
      }
    };
  }

  @Override
  public void createDirectory(Path directory, FileAttribute<?>... attributes) throws IOException {
    call(
        Call.CREATE,
        directory,
        () -> {
          Inode parent = parent(directory);
          if (parent.entries.containsKey(name(directory))) {
            throw new FileAlreadyExistsException(directory.toString());
          }
          machine.link(
              parent,
              name(directory),
              machine.newInode(true, machine.classOf((SimPath) directory)));
          return directory;
        });
  }

  @Override
  public void delete(Path path) throws IOException {
    call(
        Call.DELETE,
        path,
        () -> {
          Inode inode = require(path);
          if (inode.isDirectory() && !inode.entries.isEmpty()) {
            throw new DirectoryNotEmptyException(path.toString());
          }
          machine.unlink(parent(path), name(path));
          return path;
        });
  }

  @Override
  public void copy(Path source, Path target, CopyOption... options) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void move(Path source, Path target, CopyOption... options) throws IOException {
    call(
        Call.RENAME,
        source,
        () -> {
          Inode inode = require(source);
          machine.rename(parent(source), name(source), parent(target), name(target), inode);
          return target;
        });
  }

  @Override
  public boolean isSameFile(Path path, Path other) throws IOException {
    return require(path) == require(other);
  }

  @Override
  public boolean isHidden(Path path) {
    return false;
  }

  @Override
  public FileStore getFileStore(Path path) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void checkAccess(Path path, AccessMode... modes) throws IOException {
    call(Call.STAT, path, () -> require(path));
  }

  @Override
  public <V extends FileAttributeView> @Nullable V getFileAttributeView(
      Path path, Class<V> type, LinkOption... options) {
    return type == PosixFileAttributeView.class ? type.cast(new OwnerOnly(path)) : null;
  }

  @Override
  public <A extends BasicFileAttributes> A readAttributes(
      Path path, Class<A> type, LinkOption... options) throws IOException {
    if (type != BasicFileAttributes.class) {
      throw new UnsupportedOperationException(type.getName());
    }
    return call(Call.STAT, path, () -> type.cast(new Attributes(require(path))));
  }

  @Override
  public Map<String, Object> readAttributes(Path path, String names, LinkOption... options)
      throws IOException {
    if (!names.equals("unix:uid")) {
      throw new UnsupportedOperationException(names);
    }
    return call(
        Call.STAT,
        path,
        () -> {
          require(path);
          return Map.of("uid", (int) Processes.effectiveUser());
        });
  }

  @Override
  public void setAttribute(Path path, String name, Object value, LinkOption... options) {
    throw new UnsupportedOperationException();
  }

  /** Everything belongs to us, and nobody else may see it. */
  private final class OwnerOnly implements PosixFileAttributeView {
    private final Path path;

    OwnerOnly(Path path) {
      this.path = path;
    }

    @Override
    public String name() {
      return "posix";
    }

    @Override
    public PosixFileAttributes readAttributes() {
      throw new UnsupportedOperationException();
    }

    @Override
    public void setTimes(FileTime modified, FileTime accessed, FileTime made) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void setPermissions(Set<PosixFilePermission> permissions) throws IOException {
      call(Call.CREATE, path, () -> require(path));
    }

    @Override
    public UserPrincipal getOwner() {
      throw new UnsupportedOperationException();
    }

    @Override
    public void setOwner(UserPrincipal owner) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void setGroup(GroupPrincipal group) {
      throw new UnsupportedOperationException();
    }
  }

  /** What a file was when it was asked for. */
  private static final class Attributes implements BasicFileAttributes {
    private final Inode inode;
    private final long size;

    Attributes(Inode inode) {
      this.inode = inode;
      this.size = inode.isDirectory() ? 0 : inode.data().size();
    }

    @Override
    public FileTime lastModifiedTime() {
      return FileTime.from(inode.modifiedNanos, TimeUnit.NANOSECONDS);
    }

    @Override
    public FileTime lastAccessTime() {
      return lastModifiedTime();
    }

    @Override
    public FileTime creationTime() {
      return lastModifiedTime();
    }

    @Override
    public boolean isRegularFile() {
      return !inode.isDirectory();
    }

    @Override
    public boolean isDirectory() {
      return inode.isDirectory();
    }

    @Override
    public boolean isSymbolicLink() {
      return false;
    }

    @Override
    public boolean isOther() {
      return false;
    }

    @Override
    public long size() {
      return size;
    }

    @Override
    public Object fileKey() {
      return inode.number;
    }
  }
}
