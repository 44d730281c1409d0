package blksnap.ctrl;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.error.Fatal;
import blksnap.linux.Peer;
import blksnap.log.LogRing;
import com.google.gson.JsonNull;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The engine's end of the control socket. One thread accepts; each client has two of its own. Only
 * the user the engine runs as, and root, get an answer other than {@code EPERM}.
 */
public final class CtrlServer implements Closeable {
  /** Pause after a failed accept, which happens when the process is out of file descriptors. */
  private static final long ACCEPT_RETRY_MILLIS = 100;

  /** Clients that keep us waiting are noticed so much too late at most. */
  private static final long MAX_WATCH_MILLIS = 1_000;

  private final CtrlSocket socket;
  private final CtrlHandler handler;
  private final LogRing log;
  private final CtrlLimits limits;
  private final Thread acceptor;
  private final Thread watch;

  /** Failures in a row, of {@link #acceptor} only. */
  private int failures;

  /** Guards the fields below; never held across I/O or a join. */
  private final ReentrantLock lock = new ReentrantLock();

  private final Condition closing = lock.newCondition();
  private final Set<CtrlConnection> connections = new LinkedHashSet<>();
  private int accepted;
  private boolean closed;

  private CtrlServer(CtrlSocket socket, CtrlHandler handler, LogRing log, CtrlLimits limits) {
    this.socket = socket;
    this.handler = handler;
    this.log = log;
    this.limits = limits;
    this.acceptor = Thread.ofPlatform().name("ctrl-accept").daemon().unstarted(this::accept);
    this.watch = Thread.ofPlatform().name("ctrl-watch").daemon().unstarted(this::watch);
  }

  /**
   * Listens at {@code path} and answers from now on.
   *
   * @param path in a directory that is there, which should have mode 0700; the socket has mode 0600
   *     from the start
   * @param handler called by many threads, once for each request
   * @throws BlkSnapException {@code EADDRINUSE} when an engine answers there; {@code EEXIST} when
   *     something that is not a socket is there; {@code ENAMETOOLONG}; {@code ENOENT} without the
   *     directory
   */
  public static CtrlServer start(Path path, CtrlHandler handler, LogRing log) throws IOException {
    return start(path, handler, log, CtrlLimits.DEFAULT);
  }

  static CtrlServer start(Path path, CtrlHandler handler, LogRing log, CtrlLimits limits)
      throws IOException {
    var server = new CtrlServer(CtrlSocket.bind(path, log), handler, log, limits);
    boolean started = false;
    try {
      server.watch.start();
      server.acceptor.start();
      started = true;
      return server;
    } finally {
      if (!started) {
        server.close();
      }
    }
  }

  private void accept() {
    while (socket.isOpen()) {
      try {
        admit(socket.accept());
        failures = 0;
      } catch (IOException
          | RuntimeException
          | Error e) { // whatever one client did, the next is served
        if (socket.isOpen()) {
          Fatal.raise(e);
          if (failures++ == 0) { // the next ones, ten a second, mostly have the same cause
            log.warning("a client could not be accepted: " + e);
          }
          pause(ACCEPT_RETRY_MILLIS);
        }
      }
    }
  }

  /** Looks at every connection at short intervals, until the server closes. */
  private void watch() {
    long shortest =
        Math.min(limits.stallMillis(), Math.min(limits.firstRequestMillis(), limits.idleMillis()));
    long intervalMillis = Math.max(1, Math.min(MAX_WATCH_MILLIS, shortest / 4));
    while (socket.isOpen()) {
      pause(intervalMillis);
      for (CtrlConnection connection : connections()) {
        connection.watch(System.nanoTime());
      }
    }
  }

  private List<CtrlConnection> connections() {
    lock.lock();
    try {
      return new ArrayList<>(connections);
    } finally {
      lock.unlock();
    }
  }

  /** Waits, but not beyond the server's end. */
  private void pause(long millis) {
    lock.lock();
    try {
      long left = TimeUnit.MILLISECONDS.toNanos(millis);
      while (!closed && left > 0) {
        left = closing.awaitNanos(left);
      }
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt(); // nobody does; accepting fails then, and says so
    } finally {
      lock.unlock();
    }
  }

  private void admit(SocketChannel client) throws IOException {
    boolean admitted = false;
    try {
      Peer peer = Peer.of(client);
      Optional<BlkSnapException> refusal = checkPeer(peer);
      if (refusal.isEmpty()) {
        refusal = begin(client, peer);
      }
      if (refusal.isPresent()) {
        log.warning("a client was refused: " + refusal.get().sentence());
        refuse(client, refusal.get());
      }
      admitted = refusal.isEmpty();
    } finally {
      if (!admitted) {
        client.close();
      }
    }
  }

  private Optional<BlkSnapException> checkPeer(Peer peer) {
    if (peer.mayUse(socket.owner().getName())) {
      return Optional.empty();
    }
    return Optional.of(
        new BlkSnapException(Errno.EPERM, peer + " may not control this engine")
            .withHint("use it as user " + socket.owner().getName() + " or root"));
  }

  /** Serves the client from now on, or says why not. */
  private Optional<BlkSnapException> begin(SocketChannel client, Peer peer) {
    CtrlConnection connection;
    lock.lock();
    try {
      if (closed) {
        return Optional.of(new BlkSnapException(Errno.ESHUTDOWN, "the engine is going"));
      }
      if (connections.size() >= limits.connections()) {
        return Optional.of(
            new BlkSnapException(
                    Errno.EAGAIN,
                    limits.connections() + " clients are connected, which is the most there may be")
                .withHint("try again when one of them has gone"));
      }
      connection =
          new CtrlConnection(
              accepted++,
              new LineChannel(client, CtrlCodec.MAX_REQUEST_BYTES),
              handler,
              log,
              limits,
              this::ended);
      connections.add(connection);
    } finally {
      lock.unlock();
    }
    boolean started = false;
    try {
      connection.start();
      started = true;
    } catch (OutOfMemoryError e) { // no more threads: nobody else is harmed by that
      return Optional.of(
          new BlkSnapException(Errno.ENOMEM, "no thread can be had: " + e.getMessage(), e));
    } finally {
      if (!started) {
        ended(connection);
      }
    }
    log.debug("client " + connection.number() + " is " + peer);
    return Optional.empty();
  }

  /** One short line always fits into the buffer of a new connection, so this does not block. */
  private static void refuse(SocketChannel client, BlkSnapException why) throws IOException {
    new LineChannel(client, 0).write(CtrlCodec.error(JsonNull.INSTANCE, why));
  }

  private void ended(CtrlConnection connection) {
    lock.lock();
    try {
      connections.remove(connection);
    } finally {
      lock.unlock();
    }
  }

  /**
   * Stops accepting, removes the socket file, ends every wait, and waits for replies that are being
   * written and requests that are being done, for a limited time. All threads have ended
   * afterwards, but for a request that even an interrupt did not end, which the log names. Twice is
   * harmless.
   *
   * @throws IllegalStateException when a handler calls it: it would wait for itself
   */
  @Override
  public void close() throws IOException {
    List<CtrlConnection> open;
    lock.lock();
    try {
      if (closed) {
        return;
      }
      for (CtrlConnection connection : connections) {
        if (connection.isCurrentThread()) {
          throw new IllegalStateException("a request can not close the server that answers it");
        }
      }
      closed = true;
      closing.signalAll();
      open = new ArrayList<>(connections);
    } finally {
      lock.unlock();
    }
    long closedNanos = System.nanoTime();
    for (CtrlConnection connection : open) {
      connection.stop();
    }
    try {
      socket.close();
    } finally {
      Threads.joinUninterruptibly(acceptor);
      Threads.joinUninterruptibly(watch);
      for (CtrlConnection connection : open) {
        if (!connection.awaitEnd(closedNanos, limits)) {
          log.error("client " + connection.number() + " has a request that will not end");
        }
      }
    }
  }
}
