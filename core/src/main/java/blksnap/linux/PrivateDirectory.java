package blksnap.linux;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/**
 * Directories that only we may enter. What lies in one cannot be changed by another user, so it is
 * judged once, when an engine is loaded: a symbolic link, or another user's file, was put there
 * while the directory was open, and following it could harm what it leads to.
 */
public final class PrivateDirectory {
  private static final Set<PosixFilePermission> OWNER_ONLY =
      PosixFilePermissions.fromString("rwx------");

  private static final FileAttribute<Set<PosixFilePermission>> CREATION =
      PosixFilePermissions.asFileAttribute(OWNER_ONLY);

  private PrivateDirectory() {}

  /**
   * Makes the directory, and those it is to lie in, with mode 0700 whatever the umask; or judges
   * the one that is there.
   *
   * @return whether it was made
   * @throws BlkSnapException {@code EINVAL} for a symbolic link, {@code ENOTDIR} for another file,
   *     {@code EPERM} when it is another user's; {@code ENOSPC}, {@code EROFS}, {@code EACCES} or
   *     {@code EIO} when it cannot be made
   */
  public static boolean make(Path directory) throws BlkSnapException {
    try {
      boolean made = false;
      if (Files.notExists(directory, LinkOption.NOFOLLOW_LINKS)) {
        Path parent = directory.getParent();
        if (parent != null && Files.notExists(parent)) {
          make(parent);
        }
        made = create(directory);
      }
      judge(directory, attributes(directory));
      return made;
    } catch (BlkSnapException e) {
      throw e;
    } catch (IOException e) {
      throw new BlkSnapException(
          errno(e), "directory " + directory + " cannot be made or used: " + e.getMessage(), e);
    }
  }

  /** What the kernel said, as far as Java passes it on. */
  private static Errno errno(IOException failure) {
    String reason = String.valueOf(failure.getMessage());
    if (reason.contains("No space left") || reason.contains("quota")) {
      return Errno.ENOSPC;
    }
    if (reason.contains("Read-only file system")) {
      return Errno.EROFS;
    }
    if (reason.contains("Not a directory")) {
      return Errno.ENOTDIR;
    }
    return failure instanceof AccessDeniedException ? Errno.EACCES : Errno.EIO;
  }

  private static boolean create(Path directory) throws IOException {
    try {
      Files.createDirectory(directory, CREATION);
    } catch (FileAlreadyExistsException _) {
      return false; // another has made it meanwhile, and it is judged like any
    }
    Files.setPosixFilePermissions(directory, OWNER_ONLY); // a umask may take even our own rights
    return true;
  }

  /** Whether only its owner may enter it. */
  public static boolean isClosed(Path directory) throws IOException {
    return Files.getPosixFilePermissions(directory, LinkOption.NOFOLLOW_LINKS).equals(OWNER_ONLY);
  }

  /** Lets only its owner enter it. */
  public static void close(Path directory) throws IOException {
    if (!isClosed(directory)) {
      Files.setPosixFilePermissions(directory, OWNER_ONLY);
    }
  }

  /**
   * Judges everything below a directory.
   *
   * @throws BlkSnapException {@code EINVAL} for the first symbolic link met, {@code EPERM} for the
   *     first file of another user, naming it
   */
  public static void judgeContent(Path directory) throws IOException {
    Files.walkFileTree(
        directory,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path entry, BasicFileAttributes attributes)
              throws IOException {
            judge(entry, attributes);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path entry, BasicFileAttributes attributes)
              throws IOException {
            judgeFile(entry, attributes);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFileFailed(Path entry, IOException failure)
              throws IOException {
            if (failure instanceof NoSuchFileException) {
              return FileVisitResult.CONTINUE; // gone meanwhile
            }
            throw failure;
          }
        });
  }

  private static BasicFileAttributes attributes(Path path) throws IOException {
    return Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
  }

  private static void judge(Path directory, BasicFileAttributes attributes) throws IOException {
    judgeFile(directory, attributes);
    if (!attributes.isDirectory()) {
      throw new BlkSnapException(Errno.ENOTDIR, directory + " is not a directory");
    }
  }

  private static void judgeFile(Path path, BasicFileAttributes attributes) throws IOException {
    if (attributes.isSymbolicLink()) {
      throw new BlkSnapException(Errno.EINVAL, path + " is a symbolic link, which is not followed")
          .withHint("name the place itself, or remove the link");
    }
    long owner =
        Integer.toUnsignedLong(
            (Integer) Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS));
    long own = Processes.effectiveUser();
    if (owner != own) {
      throw new BlkSnapException(
          Errno.EPERM, path + " belongs to user " + owner + ", and this engine runs as " + own);
    }
  }
}
