package blksnap.engine;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.NativeFile;
import blksnap.linux.PrivateDirectory;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Set;

/**
 * A directory that belongs to one engine at a time: made with mode 0700, and locked by a file
 * {@code lock} in it, which the kernel lets go when the engine dies, however it dies.
 */
final class DirectoryLock implements Closeable {
  private final NativeFile file;

  private DirectoryLock(NativeFile file) {
    this.file = file;
  }

  /**
   * Makes the directory if need be, and locks it; then judges what lies in it.
   *
   * @throws BlkSnapException {@code EEXIST} when an engine has it, {@code ENOTDIR} when it is none,
   *     {@code EACCES} when it cannot be made, {@code EPERM} when it or something in it is another
   *     user's, {@code EINVAL} when it or something in it is a symbolic link
   */
  static DirectoryLock take(Path directory) throws IOException {
    make(directory);
    Path path = directory.resolve("lock");
    while (true) {
      NativeFile file =
          NativeFile.open(
              path,
              Set.of(NativeFile.Flag.READ_WRITE, NativeFile.Flag.CREATE, NativeFile.Flag.NOFOLLOW));
      boolean taken = false;
      try {
        if (!file.tryLockExclusive()) {
          throw new BlkSnapException(
                  Errno.EEXIST, "an engine is loaded already: it holds " + directory)
              .withHint("blksnap unload, or name other directories with --run-dir and --state-dir");
        }
        taken = isStill(path, file); // the engine before may have removed it just now
      } finally {
        if (!taken) {
          file.close();
        }
      }
      if (taken) {
        return judged(directory, new DirectoryLock(file));
      }
    }
  }

  private static DirectoryLock judged(Path directory, DirectoryLock lock) throws IOException {
    boolean good = false;
    try {
      PrivateDirectory.judgeContent(directory);
      good = true;
      return lock;
    } finally {
      if (!good) {
        lock.close();
      }
    }
  }

  private static boolean isStill(Path path, NativeFile file) throws IOException {
    if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
      return false;
    }
    try (NativeFile now = NativeFile.open(path, Set.of(NativeFile.Flag.IDENTIFY))) {
      return now.stat().sameAs(file.stat());
    }
  }

  private static void make(Path directory) throws IOException {
    PrivateDirectory.make(directory);
    try {
      PrivateDirectory.close(directory);
    } catch (IOException e) {
      throw new BlkSnapException(
          Errno.EACCES, "directory " + directory + " cannot be made or used: " + e.getMessage(), e);
    }
  }

  /** Removes the lock file and lets the directory go. */
  @Override
  public void close() throws IOException {
    try {
      Files.deleteIfExists(file.path());
    } finally {
      file.close();
    }
  }
}
