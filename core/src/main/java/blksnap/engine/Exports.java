package blksnap.engine;

import blksnap.device.BlockDevice;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.nbd.ExportTable;
import blksnap.nbd.MetaContext;
import blksnap.nbd.NbdThrottle;
import blksnap.snapimage.LostImage;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotPart;
import blksnap.snapshot.SnapshotTable;
import blksnap.tracker.TrackerTable;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;

/**
 * What is served: every device under its name, every image as {@code device@snapshot}. Knows who
 * uses what. The tables come in when the tracker subsystem is up; before and after that nothing is
 * served.
 */
final class Exports implements ExportTable {
  /** Who has just disconnected is still being served for a moment; longer than that is in use. */
  private static final long LEAVE_NANOS = 1_000_000_000;

  private volatile Optional<Tables> tables = Optional.empty();

  /** Guards the fields below; never held across I/O. */
  private final ReentrantLock lock = new ReentrantLock();

  @GuardedBy("lock")
  private final Map<String, List<String>> users = new HashMap<>();

  /** Signalled when an export has lost its last user. */
  private final Condition unused = lock.newCondition();

  /** Devices that are being detached. */
  @GuardedBy("lock")
  private final Set<String> leaving = new HashSet<>();

  private record Tables(TrackerTable trackers, SnapshotTable snapshots) {}

  private final ImageLimits limits = new ImageLimits();

  /**
   * @param image whose image it is; empty for a device
   */
  private record Found(
      Export export,
      BlockDevice device,
      Optional<ChangeContexts> contexts,
      Optional<ImageOf> image) {}

  private record ImageOf(Snapshot snapshot, String device) {}

  /** How fast images may be read and written. */
  ImageLimits limits() {
    return limits;
  }

  /** Starts to serve. */
  void open(TrackerTable trackers, SnapshotTable snapshots) {
    tables = Optional.of(new Tables(trackers, snapshots));
  }

  /** Serves nothing new. */
  void close() {
    tables = Optional.empty();
  }

  @Override
  public List<Export> list() {
    Tables now = tables.orElse(null);
    if (now == null) {
      return List.of();
    }
    List<Export> exports = new ArrayList<>();
    for (TrackerTable.Attached device : now.trackers.all()) {
      exports.add(export(now, device).export);
    }
    for (Snapshot snapshot : now.snapshots.all()) {
      for (SnapshotPart part : snapshot.view().parts()) {
        image(now, snapshot, part).ifPresent(found -> exports.add(found.export));
      }
    }
    return exports;
  }

  @Override
  public Optional<Export> find(String name) {
    return look(name).map(Found::export);
  }

  private Optional<Found> look(String name) {
    Tables now = tables.orElse(null);
    if (now == null) {
      return Optional.empty();
    }
    if (name.isEmpty()) {
      List<TrackerTable.Attached> all = now.trackers.all();
      return all.size() == 1 ? Optional.of(export(now, all.getFirst())) : Optional.empty();
    }
    int at = name.indexOf('@');
    if (at < 0) {
      return now.trackers.lookup(name).map(device -> export(now, device));
    }
    Optional<Snapshot> snapshot = now.snapshots.lookup(name.substring(at + 1));
    return snapshot
        .flatMap(s -> s.part(name.substring(0, at)))
        .flatMap(part -> image(now, snapshot.orElseThrow(), part));
  }

  private static Found export(Tables now, TrackerTable.Attached device) {
    return new Found(
        new Export(
            device.name(),
            "device " + device.path(),
            device.device().sizeBytes(),
            device.device().readOnly()),
        device.device(),
        Optional.of(ChangeContexts.of(now.trackers, now.snapshots, device.device())),
        Optional.empty());
  }

  @Override
  public List<String> contextNames(String exportName) {
    return look(exportName).flatMap(Found::contexts).map(ChangeContexts::names).orElse(List.of());
  }

  @Override
  public Optional<MetaContext> context(String exportName, String contextName) {
    return look(exportName).flatMap(Found::contexts).flatMap(all -> all.find(contextName));
  }

  /** One that is lost is served all the same, so that who reads it is told so. */
  private static Optional<Found> image(Tables now, Snapshot snapshot, SnapshotPart part) {
    Optional<BlockDevice> device =
        switch (part) {
          case SnapshotPart.Named named -> Optional.empty();
          case SnapshotPart.Taken taken -> Optional.of(taken.image());
          case SnapshotPart.Lost lost ->
              now.trackers
                  .lookup(lost.device())
                  .map(of -> new LostImage(of.device().sizeBytes(), lost.cause()));
        };
    return device.map(image ->
        new Found(
            new Export(
                imageName(snapshot, part.device()),
                "image of " + part.device() + " in snapshot " + snapshot.name(),
                image.sizeBytes(),
                false),
            image,
            part instanceof SnapshotPart.Taken taken
                ? Optional.of(ChangeContexts.of(now.trackers, now.snapshots, taken))
                : Optional.empty(),
            Optional.of(new ImageOf(snapshot, part.device()))));
  }

  /** What the image of a device is served as. */
  static String imageName(Snapshot snapshot, String device) {
    return device + "@" + snapshot.name();
  }

  @Override
  public Session open(String name, String peer) throws IOException {
    lock.lock();
    try {
      Found found =
          look(name)
              .orElseThrow(
                  () -> new BlkSnapException(Errno.ENOENT, "there is no export '" + name + "'"));
      String canonical = found.export.name();
      if (leaving.contains(canonical)) {
        throw new BlkSnapException(Errno.ENOENT, "device " + canonical + " is being detached");
      }
      users.computeIfAbsent(canonical, key -> new ArrayList<>()).add(peer);
      Optional<NbdThrottle> throttle =
          found.image.map(image -> limits.of(image.snapshot, image.device));
      return new OpenSession(canonical, peer, found.device, throttle);
    } finally {
      lock.unlock();
    }
  }

  private final class OpenSession implements Session {
    private final String name;
    private final String peer;
    private final BlockDevice device;
    private final Optional<NbdThrottle> throttle;
    private boolean closed;

    OpenSession(String name, String peer, BlockDevice device, Optional<NbdThrottle> throttle) {
      this.name = name;
      this.peer = peer;
      this.device = device;
      this.throttle = throttle;
    }

    @Override
    public BlockDevice device() {
      return device;
    }

    @Override
    public Optional<NbdThrottle> throttle() {
      return throttle;
    }

    /** Who reads an image copies it, and the machine is there for who uses the original. */
    @Override
    public boolean yields() {
      return throttle.isPresent();
    }

    @Override
    public void close() {
      lock.lock();
      try {
        List<String> peers = users.get(name);
        if (!closed && peers != null) {
          closed = true;
          peers.remove(peer);
          if (peers.isEmpty()) {
            users.remove(name);
            unused.signalAll();
          }
        }
      } finally {
        lock.unlock();
      }
    }
  }

  /** Who uses an export now. */
  List<String> clients(String name) {
    lock.lock();
    try {
      return List.copyOf(users.getOrDefault(name, List.of()));
    } finally {
      lock.unlock();
    }
  }

  /**
   * Waits, at most a second, until nobody uses an export: a client that has ended is gone here a
   * moment later.
   *
   * @param names which exports; what is in use afterwards is for others to refuse
   */
  void awaitUnused(Predicate<String> names) throws InterruptedException {
    long left = LEAVE_NANOS;
    lock.lock();
    try {
      while (left > 0 && users.keySet().stream().anyMatch(names)) {
        left = unused.awaitNanos(left);
      }
    } finally {
      lock.unlock();
    }
  }

  /** Every export in use, with its users. */
  Map<String, List<String>> inUse() {
    lock.lock();
    try {
      Map<String, List<String>> copy = new java.util.TreeMap<>();
      users.forEach((name, peers) -> copy.put(name, List.copyOf(peers)));
      return copy;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Does something to a device that no client may use meanwhile.
   *
   * @throws BlkSnapException {@code EBUSY}, naming the clients, when it is in use
   */
  void whileUnused(String device, SnapshotTable.Detaching action) throws IOException {
    lock.lock();
    try {
      List<String> peers = users.getOrDefault(device, List.of());
      if (!peers.isEmpty()) {
        throw new BlkSnapException(
            Errno.EBUSY, "device " + device + " is in use by " + String.join(", ", peers));
      }
      leaving.add(device);
    } finally {
      lock.unlock();
    }
    try {
      action.run();
    } finally {
      lock.lock();
      try {
        leaving.remove(device);
      } finally {
        lock.unlock();
      }
    }
  }
}
