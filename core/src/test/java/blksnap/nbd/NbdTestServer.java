package blksnap.nbd;

import blksnap.buffer.BufferPool;
import blksnap.device.BlockDevice;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicInteger;

/** A server on a unix socket in a directory of its own, over a table of devices that tests fill. */
final class NbdTestServer implements AutoCloseable, ExportTable {
  private final Map<String, BlockDevice> devices = new ConcurrentSkipListMap<>();
  private final AtomicInteger opened = new AtomicInteger();
  private final AtomicInteger closed = new AtomicInteger();
  private final Path directory;
  private final BufferPool pool = new BufferPool(128L << 20, () -> 8);
  private final LogRing log = new LogRing();
  private final NbdServer server;
  private volatile List<MetaContext> contexts = List.of();
  private volatile Optional<NbdThrottle> throttle = Optional.empty();
  private volatile Optional<Errno> refusal = Optional.empty();

  NbdTestServer(NbdLimits limits) throws IOException {
    this(limits, NbdTls.NONE);
  }

  /** One that also listens on these addresses, and speaks TLS where it is told to. */
  NbdTestServer(NbdLimits limits, NbdTls tls, InetSocketAddress... tcp) throws IOException {
    directory =
        Files.createTempDirectory(
            "nbd",
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    var places = new ArrayList<NbdPlace>(List.of(new NbdPlace.Unix(socket())));
    for (InetSocketAddress address : tcp) {
      places.add(new NbdPlace.Tcp(address));
    }
    boolean started = false;
    try {
      server = NbdServer.start(new NbdConfig(places, tls, limits), this, pool, log);
      started = true;
    } finally {
      if (!started) {
        Files.delete(directory); // which is empty again
      }
    }
  }

  /** A server with one export, "disk". */
  static NbdTestServer of(BlockDevice device) throws IOException {
    return new NbdTestServer(NbdLimits.DEFAULT).with("disk", device);
  }

  static NbdLimits limits(Duration stall) {
    NbdLimits usual = NbdLimits.DEFAULT;
    return new NbdLimits(
        usual.connections(),
        usual.connectionsPerListener(),
        usual.connectionsPerClient(),
        usual.threadsPerConnection(),
        usual.moreThreads(),
        usual.bytesPerConnection(),
        usual.patience(),
        usual.handshake(),
        stall,
        usual.drain());
  }

  NbdTestServer with(String name, BlockDevice device) {
    devices.put(name, device);
    return this;
  }

  /** What "disk" can tell of itself; may be changed later. */
  void withContexts(List<MetaContext> live) {
    contexts = live;
  }

  @Override
  public List<String> contextNames(String exportName) {
    return exportName.equals("disk")
        ? contexts.stream().map(MetaContext::name).toList()
        : List.of();
  }

  @Override
  public Optional<MetaContext> context(String exportName, String contextName) {
    return contextNames(exportName).contains(contextName)
        ? contexts.stream().filter(one -> one.name().equals(contextName)).findFirst()
        : Optional.empty();
  }

  /** What requests of those who connect from now on have to pass. */
  void withThrottle(NbdThrottle one) {
    throttle = Optional.of(one);
  }

  /** What taking an export into use fails with from now on. */
  void refuse(Errno cause) {
    refusal = Optional.of(cause);
  }

  void withdraw(String name) {
    devices.remove(name);
  }

  Path socket() {
    return directory.resolve("nbd.sock");
  }

  NbdServer server() {
    return server;
  }

  BufferPool pool() {
    return pool;
  }

  LogRing log() {
    return log;
  }

  int openedSessions() {
    return opened.get();
  }

  int closedSessions() {
    return closed.get();
  }

  NbdTestClient connect() throws IOException {
    return NbdTestClient.connect(socket());
  }

  @Override
  public List<Export> list() {
    return devices.keySet().stream().map(name -> find(name).orElseThrow()).toList();
  }

  @Override
  public Optional<Export> find(String name) {
    return Optional.ofNullable(devices.get(name))
        .map(device -> new Export(name, "the " + name, device.sizeBytes(), device.readOnly()));
  }

  @Override
  public Session open(String name, String peer) throws BlkSnapException {
    BlockDevice device = devices.get(name);
    if (device == null) {
      throw new BlkSnapException(Errno.ENOENT, "no export " + name);
    }
    if (refusal.isPresent()) {
      throw new BlkSnapException(refusal.get(), name + " cannot be opened now");
    }
    opened.incrementAndGet();
    return new Session() {
      @Override
      public BlockDevice device() {
        return device;
      }

      @Override
      public Optional<NbdThrottle> throttle() {
        return throttle;
      }

      @Override
      public void close() {
        closed.incrementAndGet();
      }
    };
  }

  @Override
  public void close() throws IOException {
    server.close();
    Files.deleteIfExists(directory);
  }
}
