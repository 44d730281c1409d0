package blksnap.state;

import blksnap.linux.PrivateDirectory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Directories that a power loss does not take back. */
public final class Directories {
  private Directories() {}

  /** Makes the directory and those above it that are not there, private and durably. */
  public static void create(Path directory) throws IOException {
    if (Files.isDirectory(directory)) {
      return;
    }
    Path above = directory.toAbsolutePath().getParent();
    if (above != null) {
      create(above);
    }
    PrivateDirectory.make(directory);
    if (above != null) {
      StateFile.syncDirectory(above);
    }
  }
}
