package blksnap.cli.daemon;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.PrivateDirectory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** Makes the run directory one that only its owner can enter. */
final class RunDirectory {
  private RunDirectory() {}

  /**
   * Makes the directory, or judges the one that is there. One that others may enter is closed to
   * them while it is empty; one that already holds things is somebody's, and left as it is.
   *
   * @throws BlkSnapException {@code ENOTDIR}, {@code EINVAL} for a symbolic link, or {@code EPERM}
   *     when it is another user's or others may enter it
   */
  static void prepare(Path directory) throws IOException {
    if (PrivateDirectory.make(directory) || PrivateDirectory.isClosed(directory)) {
      return;
    }
    if (!isEmpty(directory)) {
      throw new BlkSnapException(
              Errno.EPERM, directory + " is open to other users and already holds files")
          .withHint("run 'chmod 700' on it if it is meant for blksnap alone, or name another");
    }
    PrivateDirectory.close(directory);
  }

  private static boolean isEmpty(Path directory) throws IOException {
    try (Stream<Path> entries = Files.list(directory)) {
      return entries.findAny().isEmpty();
    }
  }
}
