package blksnap.nbd;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.error.Fatal;
import blksnap.linux.InheritedSocket;
import blksnap.log.LogRing;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * A listening socket and the loop that accepts from it. Closing ends the loop and removes the
 * socket's file.
 */
final class NbdListener {
  private static final int BACKLOG = 128;

  /**
   * Wait after a failed accept: mostly there are no file descriptors left, and trying at once would
   * spin.
   */
  private static final long RETRY_NANOS = 100_000_000;

  private final ServerSocketChannel channel;
  private final NbdTlsDemand demand;
  private final Optional<Path> file;

  /** What it listens on; empty for a unix socket. */
  private final Optional<InetSocketAddress> tcp;

  private final Optional<Object> fileKey;

  /** Connections of this listener that are not over. */
  private final AtomicInteger clients = new AtomicInteger();

  /** Failures in a row, of {@link #acceptAll}'s thread only. */
  private int failures;

  private NbdListener(
      ServerSocketChannel channel,
      NbdTlsDemand demand,
      Optional<Path> file,
      Optional<InetSocketAddress> tcp)
      throws IOException {
    this.channel = channel;
    this.demand = demand;
    this.file = file;
    this.tcp = tcp;
    this.fileKey = file.isPresent() ? key(file.get()) : Optional.empty();
  }

  /**
   * Listens.
   *
   * @throws BlkSnapException {@code EINVAL} for an address that may not be listened on without TLS
   *     being demanded, or what the kernel refuses
   */
  static NbdListener open(NbdPlace place, NbdTls.Mode tls) throws IOException {
    return switch (place) {
      case NbdPlace.Unix(var path) -> unix(path, demand(Optional.empty(), tls));
      case NbdPlace.Tcp(var address) -> tcp(address, demand(Optional.of(address), tls));
      case NbdPlace.Inherited(var descriptor) -> {
        InheritedSocket socket = InheritedSocket.adopt(descriptor);
        try {
          yield new NbdListener(
              socket.channel(), demand(socket.tcp(), tls), Optional.empty(), socket.tcp());
        } catch (IOException | RuntimeException e) {
          socket.channel().close();
          throw e;
        }
      }
    };
  }

  /** The kernel tells who is behind a unix socket, and lets nobody listen in. */
  private static NbdTlsDemand demand(Optional<InetSocketAddress> tcp, NbdTls.Mode tls)
      throws BlkSnapException {
    if (tcp.isPresent() && tls != NbdTls.Mode.REQUIRED) {
      checkLoopback(tcp.get());
    }
    return switch (tls) {
      case OFF -> NbdTlsDemand.OFF;
      case ON -> NbdTlsDemand.OFFERED;
      case REQUIRED -> tcp.isPresent() ? NbdTlsDemand.REQUIRED : NbdTlsDemand.OFFERED;
    };
  }

  /**
   * Listens on a unix socket. Its file appears under its name with mode 0600 and listening: it is
   * made in a directory of its own beside it, and then linked.
   *
   * @throws BlkSnapException {@code EADDRINUSE} when something has this name, {@code ENAMETOOLONG}
   *     when the path is too long for a socket, {@code EACCES} and others when the file cannot be
   *     made
   */
  private static NbdListener unix(Path path, NbdTlsDemand demand) throws IOException {
    Path directory = path.resolveSibling("." + path.getFileName());
    Path hidden = directory.resolve("s");
    ServerSocketChannel channel = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    try {
      Files.deleteIfExists(hidden); // of one that died in between
      Files.deleteIfExists(directory);
      Files.createDirectory(
          directory,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      try {
        channel.bind(UnixDomainSocketAddress.of(hidden), BACKLOG);
        Files.setPosixFilePermissions(hidden, PosixFilePermissions.fromString("rw-------"));
        Files.createLink(path, hidden);
      } finally {
        Files.deleteIfExists(hidden);
        Files.deleteIfExists(directory);
      }
      return new NbdListener(channel, demand, Optional.of(path), Optional.empty());
    } catch (IOException e) {
      channel.close();
      throw unixFailure(path, e);
    } catch (RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  private static BlkSnapException unixFailure(Path path, IOException e) {
    String sentence = "cannot listen on " + path + ": " + e.getMessage();
    Errno errno =
        switch (e) {
          case FileAlreadyExistsException _ -> Errno.EADDRINUSE;
          case AccessDeniedException _ -> Errno.EACCES;
          case NoSuchFileException _ -> Errno.ENOENT;
          case SocketException s when String.valueOf(s.getMessage()).contains("too long") ->
              Errno.ENAMETOOLONG;
          default -> Errno.EIO;
        };
    return new BlkSnapException(errno, sentence, e);
  }

  /**
   * Listens on TCP.
   *
   * @throws BlkSnapException {@code EADDRINUSE} for a port in use, {@code EINVAL} for an address
   *     that is not ours
   */
  private static NbdListener tcp(InetSocketAddress address, NbdTlsDemand demand)
      throws IOException {
    if (address.isUnresolved()) {
      throw new BlkSnapException(Errno.EINVAL, "nobody knows host " + address.getHostString());
    }
    ServerSocketChannel channel = ServerSocketChannel.open();
    try {
      channel.setOption(StandardSocketOptions.SO_REUSEADDR, true);
      channel.bind(address, BACKLOG);
      var bound = (InetSocketAddress) channel.getLocalAddress();
      return new NbdListener(channel, demand, Optional.empty(), Optional.of(bound));
    } catch (BindException e) {
      channel.close();
      boolean foreign = String.valueOf(e.getMessage()).contains("Cannot assign");
      throw new BlkSnapException(
          foreign ? Errno.EINVAL : Errno.EADDRINUSE,
          "cannot listen on " + address + ": " + e.getMessage(),
          e);
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  private static void checkLoopback(InetSocketAddress address) throws BlkSnapException {
    InetAddress host = address.getAddress();
    String literal = host == null ? "" : host.getHostAddress();
    if (!literal.equals("127.0.0.1") && !literal.equals("0:0:0:0:0:0:0:1")) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "will not listen on "
              + address
              + ": only 127.0.0.1 and ::1 are served where TLS is not required");
    }
  }

  /** The address of a TCP listener, with the port in fact used; empty for a unix socket. */
  Optional<InetSocketAddress> tcp() {
    return tcp;
  }

  NbdTlsDemand demand() {
    return demand;
  }

  /** A word for the thread's name. */
  String kind() {
    return tcp.isPresent() ? "tcp" : "unix";
  }

  /** Accepts until the listener is closed; runs in a thread of its own. */
  void acceptAll(Clients receiver, LogRing log) {
    while (channel.isOpen()) {
      try {
        receiver.accept(this, channel.accept());
        failures = 0;
      } catch (ClosedChannelException _) {
        return;
      } catch (IOException | RuntimeException | Error e) {
        Fatal.raise(e);
        if (failures++ == 0) { // the next ones, ten a second, mostly have the same cause
          log.error("nbd: accepting a connection failed: " + e);
        }
        LockSupport.parkNanos(this, RETRY_NANOS);
      }
    }
  }

  /** Counts one more client, unless there are {@code most}. */
  boolean enter(int most) {
    return clients.getAndUpdate(n -> n < most ? n + 1 : n) < most;
  }

  /** A client that was counted is gone. */
  void leave() {
    clients.decrementAndGet();
  }

  /** Takes what was accepted. */
  interface Clients {
    void accept(NbdListener listener, SocketChannel client);
  }

  /** Stops listening; the file goes only if it is still ours. */
  void close() throws IOException {
    try {
      channel.close();
    } finally {
      if (file.isPresent() && Files.exists(file.get()) && key(file.get()).equals(fileKey)) {
        Files.deleteIfExists(file.get());
      }
    }
  }

  /** Tells one file from another with the same name. */
  private static Optional<Object> key(Path path) throws IOException {
    return Optional.ofNullable(Files.readAttributes(path, BasicFileAttributes.class).fileKey());
  }
}
