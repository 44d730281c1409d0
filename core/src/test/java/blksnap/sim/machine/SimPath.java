package blksnap.sim.machine;

import java.io.File;
import java.net.URI;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import org.jspecify.annotations.Nullable;

/** A path of the simulated machine; names are taken apart by a path of the real one. */
final class SimPath implements Path {
  private final SimFileSystem system;
  private final Path names;

  SimPath(SimFileSystem system, Path names) {
    this.system = system;
    this.names = names;
  }

  Path names() {
    return names;
  }

  private @Nullable SimPath wrap(@Nullable Path path) {
    return path == null ? null : new SimPath(system, path);
  }

  private static Path bare(Path path) {
    return path instanceof SimPath sim ? sim.names : path;
  }

  @Override
  public SimFileSystem getFileSystem() {
    return system;
  }

  @Override
  public boolean isAbsolute() {
    return names.isAbsolute();
  }

  @Override
  public @Nullable Path getRoot() {
    return wrap(names.getRoot());
  }

  @Override
  public @Nullable Path getFileName() {
    return wrap(names.getFileName());
  }

  @Override
  public @Nullable Path getParent() {
    return wrap(names.getParent());
  }

  @Override
  public int getNameCount() {
    return names.getNameCount();
  }

  @Override
  public Path getName(int index) {
    return new SimPath(system, names.getName(index));
  }

  @Override
  public Path subpath(int begin, int end) {
    return new SimPath(system, names.subpath(begin, end));
  }

  @Override
  public boolean startsWith(Path other) {
    return names.startsWith(bare(other));
  }

  @Override
  public boolean endsWith(Path other) {
    return names.endsWith(bare(other));
  }

  @Override
  public Path normalize() {
    return new SimPath(system, names.normalize());
  }

  @Override
  public Path resolve(Path other) {
    return new SimPath(system, names.resolve(bare(other)));
  }

  @Override
  public Path relativize(Path other) {
    return new SimPath(system, names.relativize(bare(other)));
  }

  @Override
  public URI toUri() {
    return URI.create("sim:" + names);
  }

  @Override
  public Path toAbsolutePath() {
    return isAbsolute() ? this : new SimPath(system, Path.of("/").resolve(names));
  }

  @Override
  public Path toRealPath(LinkOption... options) {
    return toAbsolutePath().normalize();
  }

  @Override
  public File toFile() {
    throw new UnsupportedOperationException("a simulated path is no file of this machine");
  }

  @Override
  public WatchKey register(
      WatchService watcher, WatchEvent.Kind<?>[] events, WatchEvent.Modifier... modifiers) {
    throw new UnsupportedOperationException("a simulated directory cannot be watched");
  }

  @Override
  public int compareTo(Path other) {
    return names.compareTo(bare(other));
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof SimPath path && path.system == system && path.names.equals(names);
  }

  @Override
  public int hashCode() {
    return names.hashCode();
  }

  @Override
  public String toString() {
    return names.toString();
  }
}
