package blksnap.engine;

import blksnap.buffer.BufferPool;
import blksnap.ctrl.CtrlHandler;
import blksnap.ctrl.CtrlServer;
import blksnap.diffio.DiffIo;
import blksnap.diffstorage.StorageTable;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import blksnap.nbd.NbdConfig;
import blksnap.nbd.NbdLimits;
import blksnap.nbd.NbdPlace;
import blksnap.nbd.NbdServer;
import blksnap.param.Parameter;
import blksnap.param.Parameters;
import blksnap.snapshot.SnapshotContext;
import blksnap.snapshot.SnapshotTable;
import blksnap.status.LiveTree;
import blksnap.tracker.TrackerTable;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What the engine is made of, and the five subsystems that bring it up and down. A part is there
 * from the init of its subsystem to the exit of it; asking for it at another time is {@code
 * ESHUTDOWN}.
 */
final class EngineParts {
  /** Bytes of NBD payloads in memory at a time, over all clients. */
  private static final long NBD_PAYLOAD_BYTES = 128L << 20;

  private static final int FREE_PAYLOADS_KEPT = 32;

  private final EngineConfig config;
  private final LogRing log;
  private final LongSupplier nanoClock;
  private final Parameters parameters = new Parameters();
  private final Exports exports = new Exports();

  private volatile InitState initState = InitState.COMING;
  private volatile @Nullable DiffIo diffIo;
  private volatile @Nullable NbdServer nbd;
  private volatile @Nullable BufferPool payloads;
  private volatile @Nullable TrackerTable trackers;
  private volatile @Nullable SnapshotTable snapshots;
  private volatile @Nullable StorageWatch storageWatch;
  private volatile @Nullable CtrlServer ctrl;
  private volatile @Nullable LiveTree tree;

  EngineParts(EngineConfig config, LogRing log, LongSupplier nanoClock) {
    this.config = config;
    this.log = log;
    this.nanoClock = nanoClock;
    config.parameters().forEach(parameters::set);
  }

  /** In the order in which they come up. */
  List<Subsystem> subsystems(CtrlHandler handler) {
    return List.of(
        new DiffIoSubsystem(),
        new SnapImageSubsystem(),
        new TrackerSubsystem(),
        new CtrlSubsystem(handler),
        new SysfsSubsystem());
  }

  EngineConfig config() {
    return config;
  }

  LogRing log() {
    return log;
  }

  Parameters parameters() {
    return parameters;
  }

  Exports exports() {
    return exports;
  }

  InitState initState() {
    return initState;
  }

  void become(InitState state) {
    initState = state;
  }

  TrackerTable trackers() {
    return up(trackers, "tracker");
  }

  SnapshotTable snapshots() {
    return up(snapshots, "tracker");
  }

  LiveTree tree() {
    return up(tree, "sysfs");
  }

  NbdServer nbd() {
    return up(nbd, "snapimage");
  }

  private static <T> T up(@Nullable T part, String subsystem) {
    if (part == null) {
      throw new IllegalStateException(subsystem + " is not up");
    }
    return part;
  }

  /** Sets a parameter to a value that is judged here. */
  void setParameter(Parameter parameter, String value) throws BlkSnapException {
    long judged = parameter.parse(value);
    long old = parameters.get(parameter);
    parameters.set(parameter, judged);
    log.info("parameter " + parameter.key() + ": " + old + " -> " + judged);
  }

  /** Refuses with {@code EBUSY}, naming them, when clients or snapshots are there. */
  void requireUnused() throws BlkSnapException {
    List<String> uses = new ArrayList<>();
    exports
        .inUse()
        .forEach((name, peers) -> uses.add(name + " is in use by " + String.join(", ", peers)));
    snapshots().all().forEach(snapshot -> uses.add("snapshot " + snapshot.name() + " is held"));
    if (!uses.isEmpty()) {
      throw new BlkSnapException(Errno.EBUSY, String.join("; ", uses))
          .withHint("blksnap unload --force releases them");
    }
  }

  /** Clients and snapshots: what keeps the engine from being unloaded. */
  int references() {
    int clients = exports.inUse().values().stream().mapToInt(List::size).sum();
    return clients + snapshots().all().size();
  }

  /** Where NBD is served over TCP, as {@code HOST:PORT}, with blanks between; empty if nowhere. */
  Optional<String> tcpAddresses() {
    NbdServer server = nbd;
    if (server == null || server.tcpAddresses().isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(
        server.tcpAddresses().stream()
            .map(EngineParts::hostAndPort)
            .collect(Collectors.joining(" ")));
  }

  private static String hostAndPort(InetSocketAddress address) {
    String host = address.getAddress().getHostAddress();
    return (host.contains(":") ? "[" + host + "]" : host) + ":" + address.getPort();
  }

  /** Buffers, and the way to the devices. */
  private final class DiffIoSubsystem implements Subsystem {
    @Override
    public String name() {
      return "diff_io";
    }

    @Override
    public void init() {
      diffIo = new DiffIo(parameters);
    }

    @Override
    public void exit() throws IOException {
      DiffIo io = diffIo;
      diffIo = null;
      if (io != null) {
        io.close();
      }
      if (io != null && io.bytesInUse() != 0) {
        throw new BlkSnapException(
            Errno.EBUSY, io.bytesInUse() + " bytes of copy buffers are still in use");
      }
    }
  }

  /** The front end that devices and images are served through. */
  private final class SnapImageSubsystem implements Subsystem {
    @Override
    public String name() {
      return "snapimage";
    }

    @Override
    public void init() throws IOException {
      removeDeadSocket(config.nbdSocket());
      for (NbdPlace place : config.nbd().places()) {
        if (place instanceof NbdPlace.Unix(var path) && nobodyListens(path)) {
          removeDeadSocket(path);
        }
      }
      List<NbdPlace> places = new ArrayList<>();
      places.add(new NbdPlace.Unix(config.nbdSocket()));
      places.addAll(config.nbd().places());
      var pool = new BufferPool(NBD_PAYLOAD_BYTES, () -> FREE_PAYLOADS_KEPT);
      payloads = pool;
      nbd =
          NbdServer.start(
              new NbdConfig(places, config.nbd().tls(), NbdLimits.DEFAULT), exports, pool, log);
    }

    /** Outside our own directories another engine may. */
    private static boolean nobodyListens(Path path) {
      try (SocketChannel _ = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
        return false;
      } catch (ConnectException _) {
        return true;
      } catch (IOException _) {
        return false; // not there, or not ours to judge: listening will tell
      }
    }

    /**
     * A dead engine's: the locks of both directories are ours, so nobody listens there. What is no
     * socket is not ours to remove, and listening there will be refused.
     */
    private static void removeDeadSocket(Path path) throws IOException {
      if (Files.exists(path, LinkOption.NOFOLLOW_LINKS)
          && Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
              .isOther()) {
        Files.delete(path);
      }
    }

    @Override
    public void exit() throws IOException {
      NbdServer server = nbd;
      if (server != null) {
        server.close();
      }
      nbd = null;
      BufferPool pool = payloads;
      payloads = null;
      if (pool != null) {
        pool.close();
      }
    }
  }

  /** The registry of devices and of the snapshots on them. */
  private final class TrackerSubsystem implements Subsystem {
    @Override
    public String name() {
      return "tracker";
    }

    @Override
    public void init() throws IOException {
      var devices =
          new TrackerTable(
              config.stateDirectory().resolve("devices"), parameters, InstantSource.system(), log);
      SnapshotTable begun = null;
      boolean up = false;
      try {
        devices.start();
        var table =
            new SnapshotTable(
                new SnapshotContext(
                    config.stateDirectory(),
                    devices,
                    new StorageTable(parameters, devices::refuse, nanoClock, Condition::awaitNanos),
                    up(diffIo, "diff_io"),
                    parameters,
                    log,
                    nanoClock,
                    InstantSource.system()));
        begun = table;
        table.recover();
        trackers = devices;
        snapshots = table;
        exports.open(devices, table);
        storageWatch = StorageWatch.start(table, log);
        up = true;
      } finally {
        if (!up) {
          if (begun != null) {
            begun.leaveAll();
          }
          devices.close();
        }
      }
    }

    /**
     * Snapshots go first, then clients, so that nothing is in flight when the devices are closed. A
     * load that fails leaves the snapshots that it found to the next one.
     */
    @Override
    public void exit() throws IOException {
      SnapshotTable table = snapshots;
      TrackerTable devices = trackers;
      StorageWatch watch = storageWatch;
      if (watch != null) {
        watch.close();
      }
      if (table != null) {
        // An embedded engine is here for one command only, and a load that fails for none.
        table.destroyAll(config.serveControl() && initState != InitState.COMING);
      }
      exports.close();
      try {
        for (String export : exports.inUse().keySet()) {
          up(nbd, "snapimage").disconnect(export);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      if (table != null) {
        table.leaveAll();
      }
      if (devices != null) {
        devices.close();
      }
      storageWatch = null;
      snapshots = null;
      trackers = null;
    }
  }

  /** The control socket. */
  private final class CtrlSubsystem implements Subsystem {
    private final CtrlHandler handler;

    CtrlSubsystem(CtrlHandler handler) {
      this.handler = handler;
    }

    @Override
    public String name() {
      return "ctrl";
    }

    @Override
    public void init() throws IOException {
      if (config.serveControl()) {
        ctrl = CtrlServer.start(config.ctrlSocket(), handler, log);
      }
    }

    @Override
    public void exit() throws IOException {
      CtrlServer server = ctrl;
      if (server != null) {
        server.close();
      }
      ctrl = null;
    }
  }

  /** The status tree. */
  private final class SysfsSubsystem implements Subsystem {
    @Override
    public String name() {
      return "sysfs";
    }

    @Override
    public void init() {
      tree = new StatusBuilder(EngineParts.this).build();
    }

    @Override
    public void exit() {
      tree = null;
    }
  }

  /** The parameters with their values, for the log at load. */
  Map<Parameter, Long> values() {
    Map<Parameter, Long> values = new java.util.EnumMap<>(Parameter.class);
    for (Parameter parameter : Parameter.values()) {
      values.put(parameter, parameters.get(parameter));
    }
    return values;
  }
}
