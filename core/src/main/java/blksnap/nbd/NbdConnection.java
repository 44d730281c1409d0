package blksnap.nbd;

import blksnap.buffer.BufferPool;
import blksnap.error.BlkSnapException;
import blksnap.error.Fatal;
import blksnap.linux.SocketProbe;
import blksnap.linux.ThreadPriority;
import blksnap.log.LogRing;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One client, from accept until the last of its threads is gone: then, once, its session, its
 * memory and its socket are given back. Threads come when requests overlap and leave together.
 */
final class NbdConnection {
  /** Lines one connection may put into the log about failing requests. */
  private static final int MAX_COMPLAINTS = 16;

  private final long number;
  private final SocketChannel channel;
  private final String peer;

  private final Optional<String> remoteHost;
  private final NbdListener listener;
  private final NbdShared shared;
  private final Instant since = Instant.now();
  private final long acceptedNanos = System.nanoTime();
  private final BufferPool.Lease inputLease;
  private final NbdLink link;

  /**
   * Threads of this connection, the first counted before it starts; at 0 the connection is over.
   */
  private final AtomicInteger threads = new AtomicInteger(1);

  private final AtomicInteger threadNames = new AtomicInteger(1);
  private final AtomicInteger complaints = new AtomicInteger();

  private final CountDownLatch gone = new CountDownLatch(1);

  /** The export in use, or about to be; empty before. */
  private volatile String exportName = "";

  /** Present in transmission. */
  private volatile Optional<NbdHandshake.Agreed> agreed = Optional.empty();

  /** Present once TLS is up. */
  private volatile Optional<NbdTlsChannel> encrypted = Optional.empty();

  /** Who its certificate says it is. */
  private volatile Optional<String> certified = Optional.empty();

  private volatile NbdRights rights;

  /** Memory that TLS uses; of the first thread, and then the last. */
  private final List<BufferPool.Lease> tlsLeases = new CopyOnWriteArrayList<>();

  /** Clients that this is counted as a connection of; of the first thread, and then the last. */
  private final List<String> counted = new CopyOnWriteArrayList<>();

  /** No more requests are read. */
  private volatile boolean ended;

  /** The socket is closed. */
  private volatile boolean cutOff;

  /**
   * @param peer who it is, for people
   * @param remoteHost where it comes from, unless that is this host
   */
  NbdConnection(
      long number,
      SocketChannel channel,
      String peer,
      Optional<String> remoteHost,
      NbdListener listener,
      NbdShared shared)
      throws BlkSnapException {
    this.number = number;
    this.channel = channel;
    this.peer = peer;
    this.remoteHost = remoteHost;
    this.listener = listener;
    this.shared = shared;
    this.rights = listener.tcp().isPresent() ? shared.security().tls().anonymous() : NbdRights.ALL;
    this.inputLease = shared.scratch().take(NbdInput.BUFFER_BYTES);
    this.link =
        new NbdLink(
            new NbdInput(channel, inputLease.buffer()),
            new NbdOutput(channel),
            new NbdTurn(),
            new NbdPace(),
            new NbdPayloads(
                shared.payloads(),
                shared.budget(),
                shared.limits().patience(),
                shared.limits().bytesPerConnection()),
            new NbdInFlight());
  }

  /** For people: what stands in a certificate may be anything. */
  private String who() {
    return certified
        .map(name -> "'" + name.replaceAll("\\p{Cntrl}", "?") + "' at " + peer)
        .orElse(peer);
  }

  NbdListener listener() {
    return listener;
  }

  NbdLink link() {
    return link;
  }

  NbdShared shared() {
    return shared;
  }

  String exportName() {
    return exportName;
  }

  NbdClient client() {
    return new NbdClient(who(), exportName, since, link.inFlight().count());
  }

  /** Starts the first thread; when that fails, nothing is left of the connection. */
  void start() {
    try {
      shared.threads().start(threadName(), this::negotiateAndServe);
    } catch (RuntimeException | Error e) {
      leave();
      throw e;
    }
  }

  private void negotiateAndServe() {
    try {
      if (remoteHost.isPresent()) {
        enter("host " + remoteHost.get());
      }
      if (negotiate()) {
        serve();
      }
    } catch (Throwable failure) { // whatever one client brings about ends that client only
      fail(failure);
    } finally {
      leave();
    }
  }

  private boolean negotiate() throws IOException {
    try (BufferPool.Lease lease = shared.scratch().take(NbdWorker.SCRATCH_BYTES)) {
      var replies = new NbdOptionReplies(link.output(), lease.buffer());
      var handshake = new NbdHandshake(link.input(), replies, shared.exports(), new Negotiation());
      agreed = handshake.run();
    }
    if (agreed.isPresent()) {
      shared.log().info("nbd: " + this + " uses " + exportName);
      if (!agreed.get().session().yields() && encrypted.isEmpty()) {
        SocketProbe.of(channel).ifPresent(probe -> link.input().poll(new NbdPolling(probe)));
      }
    }
    return agreed.isPresent();
  }

  private final class Negotiation implements NbdHandshake.Use {
    /** The name is known before the export is in use, so that a forced disconnect misses no one. */
    @Override
    public ExportTable.Session open(String name) throws IOException {
      exportName = name;
      try {
        return shared.exports().open(name, who());
      } catch (IOException | RuntimeException e) {
        exportName = "";
        throw NbdErrors.wrap(e);
      }
    }

    @Override
    public NbdTlsDemand demand() {
      return listener.demand();
    }

    @Override
    public boolean encrypted() {
      return encrypted.isPresent();
    }

    @Override
    public void encrypt() throws IOException {
      var memory = new ArrayList<ByteBuffer>();
      for (int i = 0; i < NbdTlsChannel.BUFFERS; i++) {
        BufferPool.Lease lease = shared.scratch().take(NbdTlsChannel.BUFFER_BYTES);
        tlsLeases.add(lease);
        memory.add(lease.buffer());
      }
      var tls = new NbdTlsChannel(channel, shared.security().engine(), memory);
      Optional<String> name = NbdCertificates.clientName(tls.handshake());
      if (name.isPresent()) {
        enter("certificate " + name.get());
        certified = name;
      }
      encrypted = Optional.of(tls);
      link.input().switchTo(tls);
      link.output().switchTo(tls);
      rights = listener.tcp().isPresent() ? shared.security().tls().of(name) : NbdRights.ALL;
    }

    @Override
    public NbdRights rights() {
      return rights;
    }
  }

  /** Counts this connection as one of a known client's. */
  private void enter(String client) throws BlkSnapException {
    shared.security().enter(client);
    counted.add(client);
  }

  private void serve() throws IOException {
    NbdHandshake.Agreed terms = agreed.orElseThrow();
    if (terms.session().yields()) {
      ThreadPriority.yieldToOthers();
    }
    try (BufferPool.Lease lease = shared.scratch().take(NbdWorker.SCRATCH_BYTES)) {
      new NbdWorker(this, terms, lease).work();
    }
  }

  private void serveAlso() {
    try {
      serve();
    } catch (Throwable failure) {
      fail(failure);
    } finally {
      shared.moreThreads().release();
      leave();
    }
  }

  /**
   * Lets another thread read, a new one if none waits; called with the turn, which is gone
   * afterwards.
   */
  void handOver() {
    try {
      if (!link.turn().someoneWaits() && !ended && shared.moreThreads().tryAcquire()) {
        spawn();
      }
    } finally {
      link.turn().give();
    }
  }

  /** With a permit for one more thread, which is given back when there is none. */
  private void spawn() {
    boolean entered = false;
    boolean started = false;
    try {
      entered = enter();
      if (entered) {
        shared.threads().start(threadName(), this::serveAlso);
        started = true;
      }
    } catch (OutOfMemoryError e) { // no more threads: then those there are go on
      complainOfThreads(e);
    } finally {
      if (!started) {
        shared.moreThreads().release();
        if (entered) {
          leave();
        }
      }
    }
  }

  private void complainOfThreads(OutOfMemoryError failure) {
    if (complaints.getAndIncrement() < MAX_COMPLAINTS) {
      shared.log().warning("nbd: " + this + " goes on with fewer threads: " + failure.getMessage());
    }
  }

  /** Counts one more thread, unless there are enough or the last is gone. */
  private boolean enter() {
    int most = shared.limits().threadsPerConnection();
    int before = threads.getAndUpdate(n -> n > 0 && n < most ? n + 1 : n);
    return before > 0 && before < most;
  }

  private String threadName() {
    return "blksnap-nbd-" + number + "-" + threadNames.getAndIncrement();
  }

  /** Whether no more requests are to be read. */
  boolean ended() {
    return ended;
  }

  /** The client wants no more; what is in flight is finished and answered. */
  void end() {
    ended = true;
  }

  /** Tells the log that a device failed, but not for ever. */
  void complain(String what, BlkSnapException failure) {
    if (complaints.getAndIncrement() < MAX_COMPLAINTS) {
      shared.log().warning("nbd: " + this + ": " + what + ": " + failure.sentence());
    }
  }

  /** The connection is broken, or has to be: nothing more is received or sent. */
  private void fail(Throwable failure) {
    Fatal.raise(failure);
    if (!ended || !(failure instanceof ClosedChannelException)) {
      LogRing log = shared.log();
      String text = "nbd: " + this + " is dropped: " + failure;
      if (failure instanceof IOException) {
        log.info(text);
      } else {
        log.error(text);
      }
    }
    close();
  }

  /** Cuts the connection off. Its threads end as soon as their devices let them. */
  void close() {
    ended = true;
    cutOff = true;
    try {
      channel.close();
    } catch (IOException e) {
      shared.log().warning("nbd: closing " + this + " failed: " + e);
    }
  }

  /** A thread leaves; the last one gives everything back. */
  private void leave() {
    if (threads.decrementAndGet() > 0) {
      return;
    }
    if (!cutOff) {
      encrypted.ifPresent(link.output()::sayGoodbye);
    }
    close();
    counted.forEach(shared.security()::leave);
    try {
      agreed.ifPresent(terms -> terms.session().close());
    } catch (RuntimeException e) {
      shared.log().error("nbd: closing the session of " + this + " failed: " + e);
    } finally {
      if (agreed.isPresent()) {
        shared.log().info("nbd: " + this + " is done with " + exportName);
      }
      inputLease.close();
      tlsLeases.forEach(BufferPool.Lease::close);
      shared.ended().accept(this);
      gone.countDown();
    }
  }

  /** Cuts off who still negotiates. */
  void closeUnlessServing() {
    if (agreed.isEmpty()) {
      close();
    }
  }

  /**
   * After {@link #close}: whether the last thread was gone, and the session closed, before the
   * deadline.
   */
  boolean awaitGone(long deadlineNanos) throws InterruptedException {
    return gone.await(deadlineNanos - System.nanoTime(), TimeUnit.NANOSECONDS);
  }

  /** Called at short intervals by the watchdog: a request that keeps the turn too long loses it. */
  boolean watchTurn() {
    return switch (link.turn().watch()) {
      case FREE -> false;
      case KEPT -> true;
      case TAKEN_AWAY -> {
        handOver();
        yield true;
      }
    };
  }

  /** Called at long intervals by the watchdog: cuts off who takes too long. */
  void watchStall(long nowNanos) {
    NbdLimits limits = shared.limits();
    if (agreed.isEmpty() && nowNanos - acceptedNanos > limits.handshake().toNanos()) {
      drop("negotiated for more than " + limits.handshake());
    }
    long stall = limits.stall().toNanos();
    if (link.output().progress().stalledNanos(nowNanos) > stall) {
      drop("left replies unread for more than " + limits.stall());
    }
    if (link.input().payloadProgress().stalledNanos(nowNanos) > stall) {
      drop("left a payload unfinished for more than " + limits.stall());
    }
  }

  private void drop(String why) {
    if (channel.isOpen()) {
      shared.log().warning("nbd: " + this + " is dropped: it " + why);
      close();
    }
  }

  @Override
  public String toString() {
    return "client " + number + " (" + who() + ")";
  }
}
