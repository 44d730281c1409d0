package blksnap.cli.daemon;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.stream.Stream;

/** Makes the run directory one that only its owner can enter. */
final class RunDirectory {
  private static final Set<PosixFilePermission> OWNER_ONLY =
      PosixFilePermissions.fromString("rwx------");

  private RunDirectory() {}

  /**
   * Makes the directory, or judges the one that is there. One that others may enter is closed to
   * them while it is empty; one that already holds things is somebody's, and left as it is.
   *
   * @throws BlkSnapException {@code ENOTDIR}, or {@code EPERM} when others may enter it
   */
  static void prepare(Path directory) throws IOException {
    if (Files.notExists(directory)) {
      Path parent = directory.getParent();
      if (parent != null) {
        Files.createDirectories(parent);
      }
      Files.createDirectory(directory, PosixFilePermissions.asFileAttribute(OWNER_ONLY));
      return;
    }
    if (!Files.isDirectory(directory)) {
      throw new BlkSnapException(Errno.ENOTDIR, directory + " is not a directory");
    }
    if (Files.getPosixFilePermissions(directory).equals(OWNER_ONLY)) {
      return;
    }
    if (!isEmpty(directory)) {
      throw new BlkSnapException(
              Errno.EPERM, directory + " is open to other users and already holds files")
          .withHint("run 'chmod 700' on it if it is meant for blksnap alone, or name another");
    }
    Files.setPosixFilePermissions(directory, OWNER_ONLY);
  }

  private static boolean isEmpty(Path directory) throws IOException {
    try (Stream<Path> entries = Files.list(directory)) {
      return entries.findAny().isEmpty();
    }
  }
}
