package blksnap.nbd;

import blksnap.buffer.BufferPool;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.error.Fatal;
import blksnap.linux.Peer;
import blksnap.log.LogRing;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Serves what an {@link ExportTable} offers to NBD clients, until it is closed. Safe from many
 * threads.
 *
 * <p>Threads: one for each listening socket, one watchdog, and for each connection one up to {@link
 * NbdLimits#threadsPerConnection}. All are named {@code blksnap-nbd-...} and end with {@link
 * #close}.
 */
public final class NbdServer implements Closeable {
  /** Free buffers of one size kept for connections to come. */
  private static final int SPARE_BUFFERS = 32;

  private final NbdConfig config;

  /** The user we act as; needed only where {@link Peer#numbers} are not known. */
  private final String ownName;

  private final LogRing log;
  private final NbdStats stats = new NbdStats();
  private final NbdThreads threads = new NbdThreads();
  private final Set<NbdConnection> connections = ConcurrentHashMap.newKeySet();
  private final NbdWatchdog watchdog;
  private final NbdShared shared;
  private final Deque<NbdListener> listeners;
  private final List<Thread> acceptors = new ArrayList<>();
  private final List<InetSocketAddress> tcpAddresses;
  private final AtomicLong numbers = new AtomicLong();
  private final AtomicBoolean closing = new AtomicBoolean();

  private NbdServer(
      NbdConfig config,
      ExportTable exports,
      BufferPool pool,
      LogRing log,
      Deque<NbdListener> listeners,
      Optional<NbdCertificates> certificates,
      String ownName) {
    this.config = config;
    this.ownName = ownName;
    this.log = log;
    this.listeners = listeners;
    this.tcpAddresses = listeners.stream().flatMap(one -> one.tcp().stream()).toList();
    this.watchdog = new NbdWatchdog(connections, config.limits());
    this.shared =
        new NbdShared(
            new NbdSecurity(config.tls(), certificates, config.limits().connectionsPerClient()),
            exports,
            pool,
            new NbdBudget(pool.limitBytes()),
            scratchPool(config),
            log,
            config.limits(),
            stats,
            threads,
            new Semaphore(config.limits().moreThreads()),
            watchdog,
            this::ended);
  }

  /**
   * Listens, and serves from then on.
   *
   * @param pool for payloads, of at least {@value NbdProtocol#MAX_PAYLOAD_BYTES} bytes; no device
   *     served here may take from it, since a WRITE holds one of its buffers while the device works
   * @throws BlkSnapException when a socket cannot be had; then nothing is left behind
   */
  public static NbdServer start(NbdConfig config, ExportTable exports, BufferPool pool, LogRing log)
      throws IOException {
    var listeners = new ArrayDeque<NbdListener>();
    try {
      Optional<NbdCertificates> certificates = Optional.empty();
      if (config.tls().certificates().isPresent()) {
        certificates = Optional.of(NbdCertificates.load(config.tls().certificates().get()));
      }
      String ownName = "";
      for (NbdPlace place : config.places()) {
        listeners.add(NbdListener.open(place, config.tls().mode()));
        if (place instanceof NbdPlace.Unix(var path)) {
          ownName = Files.getOwner(path).getName();
        }
      }
      var server = new NbdServer(config, exports, pool, log, listeners, certificates, ownName);
      server.begin();
      return server;
    } catch (IOException | RuntimeException | Error e) {
      closeAll(listeners, e);
      throw e;
    }
  }

  /**
   * As much as all connections can use, so that nobody waits for it; little of it is ever
   * allocated.
   */
  private static BufferPool scratchPool(NbdConfig config) {
    NbdLimits limits = config.limits();
    long first = NbdInput.BUFFER_BYTES + (long) NbdWorker.SCRATCH_BYTES;
    if (config.tls().mode() != NbdTls.Mode.OFF) {
      first += (long) NbdTlsChannel.BUFFERS * NbdTlsChannel.BUFFER_BYTES;
    }
    long more = (long) limits.moreThreads() * NbdWorker.SCRATCH_BYTES;
    long bytes = (limits.connections() + 1L) * first + more;
    return new BufferPool(bytes, () -> SPARE_BUFFERS);
  }

  private void begin() {
    watchdog.start(threads);
    try {
      for (NbdListener listener : listeners) {
        String name = "blksnap-nbd-accept-" + listener.kind();
        acceptors.add(threads.start(name, () -> listener.acceptAll(this::accept, log)));
      }
    } catch (RuntimeException | Error e) {
      watchdog.stop();
      throw e;
    }
  }

  private static void closeAll(Deque<NbdListener> listeners, Throwable cause) {
    while (!listeners.isEmpty()) {
      try {
        listeners.pop().close();
      } catch (IOException e) {
        cause.addSuppressed(e);
      }
    }
  }

  /** In a listener's thread, and so never after that has ended. */
  private void accept(NbdListener listener, SocketChannel channel) {
    boolean counted = false;
    boolean begun = false;
    try {
      NbdLimits limits = config.limits();
      Optional<String> peer = peer(channel);
      if (peer.isPresent() && connections.size() < limits.connections()) {
        counted = listener.enter(limits.connectionsPerListener());
      }
      if (!counted) {
        stats.refused.increment();
        return;
      }
      stats.connections.increment();
      var connection =
          new NbdConnection(
              numbers.incrementAndGet(),
              channel,
              peer.orElseThrow(),
              remoteHost(channel),
              listener,
              shared);
      connections.add(connection);
      begun = true; // from here on it gives back what it has by itself
      connection.start();
    } catch (OutOfMemoryError e) { // no more threads, or no more direct memory
      log.error("nbd: a connection cannot be served: " + e.getMessage());
    } catch (IOException | RuntimeException | Error e) {
      Fatal.raise(e);
      log.error("nbd: a connection cannot be served: " + e);
    } finally {
      if (!begun) {
        reject(listener, channel, counted);
      }
    }
  }

  private static Optional<String> remoteHost(SocketChannel channel) throws IOException {
    return channel.getRemoteAddress() instanceof InetSocketAddress address
            && !address.getAddress().isLoopbackAddress()
        ? Optional.of(address.getAddress().getHostAddress())
        : Optional.empty();
  }

  private void reject(NbdListener listener, SocketChannel channel, boolean counted) {
    if (counted) {
      listener.leave();
    }
    try {
      channel.close();
    } catch (IOException e) {
      log.error("nbd: closing a connection that is not served failed: " + e);
    }
  }

  private void ended(NbdConnection connection) {
    connections.remove(connection);
    connection.listener().leave();
  }

  /** Who is there; empty when it may not be served. */
  private Optional<String> peer(SocketChannel channel) throws IOException {
    if (channel.getRemoteAddress() instanceof InetSocketAddress address) {
      channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
      channel.setOption(StandardSocketOptions.SO_KEEPALIVE, true); // who died unseen does not stay
      return Optional.of(address.getAddress().getHostAddress() + " port " + address.getPort());
    }
    Peer peer = Peer.of(channel);
    if (peer.mayUse(ownName)) {
      return Optional.of(peer.toString());
    }
    log.warning("nbd: " + peer + " is refused: it is neither user " + ownName + " nor root");
    return Optional.empty();
  }

  /** The first TCP address listened on, with the port that was taken. */
  public Optional<InetSocketAddress> tcpAddress() {
    return tcpAddresses.stream().findFirst();
  }

  /** The TCP addresses listened on, with the ports that were taken. */
  public List<InetSocketAddress> tcpAddresses() {
    return tcpAddresses;
  }

  /** Who is connected now, in no order. */
  public List<NbdClient> clients() {
    return connections.stream().map(NbdConnection::client).toList();
  }

  /** What was done so far. */
  public NbdCounters counters() {
    return stats.sum();
  }

  /**
   * Cuts off every client of an export that the table does not offer any more, and waits for their
   * sessions to close.
   *
   * @return whether all were closed within {@link NbdLimits#drain}
   */
  public boolean disconnect(String exportName) throws InterruptedException {
    List<NbdConnection> users =
        connections.stream().filter(one -> one.exportName().equals(exportName)).toList();
    users.forEach(NbdConnection::close);
    return awaitGone(users, deadline());
  }

  /**
   * Ends the service in order: no new connections; requests in flight are finished and answered,
   * later ones refused with {@code ESHUTDOWN}; then every connection and session is closed and
   * every thread has ended. Twice is harmless.
   *
   * @throws BlkSnapException {@code ETIMEDOUT} when devices still hold threads after twice {@link
   *     NbdLimits#drain}; those end, and close their sessions, when their devices return
   */
  @Override
  public void close() throws IOException {
    if (!closing.compareAndSet(false, true)) {
      return;
    }
    var failure = new BlkSnapException(Errno.EIO, "closing the NBD server failed");
    closeAll(listeners, failure);
    boolean interrupted = false;
    int left = 0;
    try {
      drain();
      connections.forEach(NbdConnection::close);
      boolean gone = awaitGone(List.copyOf(connections), deadline());
      watchdog.stop();
      left = gone ? threads.join(deadline()) : connections.size();
    } catch (InterruptedException _) {
      interrupted = true;
      connections.forEach(NbdConnection::close);
    } finally {
      watchdog.stop();
      shared.scratch().close();
    }
    log.info("nbd: closed, " + left + " left inside a device");
    if (interrupted) {
      Thread.currentThread().interrupt();
      throw new BlkSnapException(Errno.EINTR, "interrupted while closing the NBD server");
    }
    if (left > 0) {
      throw new BlkSnapException(
          Errno.ETIMEDOUT, left + " connections of the NBD server are still inside a device");
    }
    if (failure.getSuppressed().length > 0) {
      throw failure;
    }
  }

  private void drain() throws InterruptedException {
    long deadline = deadline();
    for (Thread acceptor : acceptors) {
      acceptor.join(); // its socket is closed; afterwards no connection is added
    }
    connections.forEach(connection -> connection.link().inFlight().stop());
    connections.forEach(NbdConnection::closeUnlessServing);
    for (NbdConnection connection : List.copyOf(connections)) {
      connection.link().inFlight().awaitDrained(deadline);
    }
  }

  private static boolean awaitGone(Collection<NbdConnection> all, long deadlineNanos)
      throws InterruptedException {
    boolean gone = true;
    for (NbdConnection connection : all) {
      gone &= connection.awaitGone(deadlineNanos);
    }
    return gone;
  }

  private long deadline() {
    return System.nanoTime() + config.limits().drain().toNanos();
  }
}
