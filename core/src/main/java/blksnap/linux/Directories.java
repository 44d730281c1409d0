package blksnap.linux;

import blksnap.error.BlkSnapException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Optional;
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

  /**
   * Whether there is something of this name, be it a link that leads nowhere. Unlike {@link
   * Files#exists}, what cannot be looked at is not taken for missing.
   */
  public static boolean exists(Path path) throws IOException {
    return attributes(path).isPresent();
  }

  /** Likewise, whether there is a directory of this name. */
  public static boolean isDirectory(Path path) throws IOException {
    return attributes(path).filter(BasicFileAttributes::isDirectory).isPresent();
  }

  private static Optional<BasicFileAttributes> attributes(Path path) throws IOException {
    try {
      return Optional.of(
          Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS));
    } catch (NoSuchFileException e) {
      return Optional.empty();
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
