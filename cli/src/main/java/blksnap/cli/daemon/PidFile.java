package blksnap.cli.daemon;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;

/** The file that holds the daemon's process number while it serves. Safe from many threads. */
final class PidFile implements Closeable {
  private final Path file;

  private PidFile(Path file) {
    this.file = file;
  }

  /** Writes it beside and renames it, so that a reader sees a whole number or none. */
  static PidFile write(Path file, long pid) throws IOException {
    Path part = file.resolveSibling(file.getFileName() + "." + pid);
    Files.deleteIfExists(part); // a link that stands there is removed, and not followed
    var owner = PosixFilePermissions.fromString("rw-------");
    try {
      Files.createFile(part, PosixFilePermissions.asFileAttribute(owner));
      Files.writeString(part, pid + "\n");
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(part);
    }
    return new PidFile(file);
  }

  @Override
  public void close() throws IOException {
    Files.deleteIfExists(file);
  }
}
