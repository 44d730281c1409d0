package blksnap.linux;

import blksnap.error.BlkSnapException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;

/**
 * Directories whose entries outlive a power loss: that a file is durable does not say that its name
 * is.
 */
public final class Directories {
  private Directories() {}

  /**
   * Makes a directory, and those above it that are missing, for us alone and durably.
   *
   * @throws BlkSnapException as {@link PrivateDirectory#make}, and what syncing says
   */
  public static void make(Path directory) throws BlkSnapException {
    Path parent = directory.toAbsolutePath().getParent();
    if (parent != null && Files.notExists(parent)) {
      make(parent);
    }
    PrivateDirectory.make(directory);
    if (parent != null) {
      sync(parent); // of one that was there as well: who made it may have been killed before this
    }
  }

  /** Makes the entries of a directory durable. */
  public static void sync(Path directory) throws BlkSnapException {
    try (NativeFile file = NativeFile.open(directory, Set.of(NativeFile.Flag.READ_ONLY))) {
      file.sync();
    }
  }

  /** Makes the name of a file or directory durable, or that it has none any more. */
  public static void syncEntry(Path path) throws BlkSnapException {
    Path parent = path.toAbsolutePath().getParent();
    if (parent != null) {
      sync(parent);
    }
  }
}
