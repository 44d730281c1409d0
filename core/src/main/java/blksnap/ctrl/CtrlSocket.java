package blksnap.ctrl;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import java.io.Closeable;
import java.io.IOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.Objects;

/**
 * The listening socket and its file. Whatever the umask and the directory's mode are, the socket
 * never is reachable with another mode than 0600: it is bound within a directory of its own, mode
 * 0700, and renamed to its place when it is ready.
 */
final class CtrlSocket implements Closeable {
  /** Bytes of the longest path a unix socket can have on Linux. */
  static final int MAX_PATH_BYTES = 107;

  /** Clients that may wait to be accepted. */
  private static final int BACKLOG = 64;

  /**
   * The directory that a socket is made in, beside its place; as long as {@code ctrl.sock} with
   * what is in it.
   */
  private static final String NURSERY = ".new";

  private static final String NEWBORN = "sock";

  private static final int TYPE_MASK = 0170000;
  private static final int TYPE_SOCKET = 0140000;

  private final ServerSocketChannel channel;
  private final Path path;
  private final Object inode;
  private final UserPrincipal owner;
  private final LogRing log;

  private CtrlSocket(
      ServerSocketChannel channel, Path path, Object inode, UserPrincipal owner, LogRing log) {
    this.channel = channel;
    this.path = path;
    this.inode = inode;
    this.owner = owner;
    this.log = log;
  }

  /**
   * Listens at {@code path}, in place of a socket that nobody listens at any more.
   *
   * @throws BlkSnapException {@code EADDRINUSE} when somebody listens there; {@code EEXIST} when
   *     something else is there; {@code ENAMETOOLONG}; {@code ENOENT} when there is no directory to
   *     make it in
   */
  static CtrlSocket bind(Path path, LogRing log) throws IOException {
    Path place = path.toAbsolutePath();
    Path directory = Objects.requireNonNull(place.getParent(), "the root is no place for a socket");
    Path nursery = directory.resolve(NURSERY);
    Path newborn = nursery.resolve(NEWBORN);
    checkLength(place);
    checkLength(newborn);
    if (!Files.isDirectory(directory)) {
      throw new BlkSnapException(Errno.ENOENT, "there is no directory " + directory);
    }
    checkFree(place);
    makeNursery(nursery, newborn);
    try {
      ServerSocketChannel channel = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
      try {
        channel.bind(UnixDomainSocketAddress.of(newborn), BACKLOG);
        Files.setPosixFilePermissions(newborn, PosixFilePermissions.fromString("rw-------"));
        Files.move(newborn, place, StandardCopyOption.ATOMIC_MOVE);
        return new CtrlSocket(channel, place, inode(place), Files.getOwner(place), log);
      } catch (IOException | RuntimeException e) {
        channel.close();
        throw e;
      }
    } finally {
      Files.deleteIfExists(newborn);
      Files.deleteIfExists(nursery);
    }
  }

  private static void checkLength(Path path) throws BlkSnapException {
    int bytes = path.toString().getBytes(StandardCharsets.UTF_8).length;
    if (bytes > MAX_PATH_BYTES) {
      throw new BlkSnapException(
              Errno.ENAMETOOLONG,
              "the socket path " + path + " has " + bytes + " bytes, more than " + MAX_PATH_BYTES)
          .withHint("choose a shorter run directory");
    }
  }

  private static void checkFree(Path place) throws IOException {
    if (!Files.exists(place, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    int mode = (Integer) Files.getAttribute(place, "unix:mode", LinkOption.NOFOLLOW_LINKS);
    if ((mode & TYPE_MASK) != TYPE_SOCKET) {
      throw new BlkSnapException(Errno.EEXIST, place + " is there already and is not a socket");
    }
    if (isAlive(place)) {
      throw new BlkSnapException(Errno.EADDRINUSE, "an engine answers at " + place + " already")
          .withHint("'blksnap unload' ends it");
    }
  }

  private static boolean isAlive(Path place) throws IOException {
    try (SocketChannel probe = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      probe.configureBlocking(false); // a full backlog must not hold us
      probe.connect(UnixDomainSocketAddress.of(place));
      return true;
    } catch (ConnectException _) {
      return false;
    } catch (IOException _) {
      return true; // busy, or not ours to judge
    }
  }

  private static void makeNursery(Path nursery, Path newborn) throws IOException {
    Files.deleteIfExists(newborn); // left by an engine that was killed in between
    Files.deleteIfExists(nursery);
    try {
      Files.createDirectory(
          nursery,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    } catch (FileAlreadyExistsException e) {
      throw new BlkSnapException(Errno.EADDRINUSE, "another engine is being loaded", e);
    }
  }

  private static Object inode(Path path) throws IOException {
    return Files.getAttribute(path, "unix:ino", LinkOption.NOFOLLOW_LINKS);
  }

  /** The user this process acts as. */
  UserPrincipal owner() {
    return owner;
  }

  /** Waits for the next client. */
  SocketChannel accept() throws IOException {
    return channel.accept();
  }

  boolean isOpen() {
    return channel.isOpen();
  }

  /** Stops listening and removes the file, unless another socket has taken its place. */
  @Override
  public void close() throws IOException {
    if (!channel.isOpen()) {
      return;
    }
    try {
      if (Files.exists(path, LinkOption.NOFOLLOW_LINKS) && inode(path).equals(inode)) {
        Files.delete(path);
      }
    } catch (IOException e) {
      log.warning("the socket file " + path + " stays behind: " + e);
    } finally {
      channel.close();
    }
  }
}
