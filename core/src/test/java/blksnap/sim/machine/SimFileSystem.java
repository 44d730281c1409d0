package blksnap.sim.machine;

import blksnap.error.BlkSnapException;
import blksnap.linux.Machine;
import blksnap.linux.NativeFile;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.nio.file.WatchService;
import java.nio.file.attribute.UserPrincipalLookupService;
import java.nio.file.spi.FileSystemProvider;
import java.util.List;
import java.util.Set;
import java.util.UUID;

/** The paths of a {@link SimMachine}. */
final class SimFileSystem extends FileSystem implements Machine {
  private final SimMachine machine;
  private final SimProvider provider;

  SimFileSystem(SimMachine machine) {
    this.machine = machine;
    this.provider = new SimProvider(this, machine);
  }

  @Override
  public NativeFile open(Path path, Set<NativeFile.Flag> flags) throws BlkSnapException {
    return machine.open((SimPath) path, flags);
  }

  @Override
  public UUID bootId() {
    return machine.bootId();
  }

  @Override
  public long bootMillis() {
    return machine.bootMillis();
  }

  @Override
  public FileSystemProvider provider() {
    return provider;
  }

  @Override
  public void close() {
    throw new UnsupportedOperationException();
  }

  @Override
  public boolean isOpen() {
    return true;
  }

  @Override
  public boolean isReadOnly() {
    return false;
  }

  @Override
  public String getSeparator() {
    return "/";
  }

  @Override
  public Iterable<Path> getRootDirectories() {
    return List.of(getPath("/"));
  }

  @Override
  public Iterable<FileStore> getFileStores() {
    return List.of();
  }

  @Override
  public Set<String> supportedFileAttributeViews() {
    return Set.of("basic");
  }

  @Override
  public Path getPath(String first, String... more) {
    return new SimPath(this, Path.of(first, more));
  }

  @Override
  public PathMatcher getPathMatcher(String pattern) {
    throw new UnsupportedOperationException();
  }

  @Override
  public UserPrincipalLookupService getUserPrincipalLookupService() {
    throw new UnsupportedOperationException();
  }

  @Override
  public WatchService newWatchService() {
    throw new UnsupportedOperationException();
  }
}
