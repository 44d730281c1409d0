package blksnap.tracker;

import blksnap.cbt.CbtMap;
import blksnap.cbt.WriteStamps;
import blksnap.device.Course;
import blksnap.device.FileBlockDevice;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.error.NearMiss;
import blksnap.linux.FileStatus;
import blksnap.linux.NativeFile;
import blksnap.log.LogRing;
import blksnap.param.Parameters;
import blksnap.sector.ByteRange;
import blksnap.sector.SectorRange;
import blksnap.tracker.DeviceRecord.Stamps;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Pattern;

/**
 * The registry of tracked devices. Looking up takes no lock; attaching and detaching are done one
 * at a time. A thread makes checkpoints while there is something to make durable.
 */
public final class TrackerTable implements Closeable {
  /** What a device or snapshot may be called. */
  public static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");

  private static final Pattern ODD = Pattern.compile("[^A-Za-z0-9._-]");
  private static final Pattern IMAGE_SUFFIX = Pattern.compile("\\.(img|raw|bin|disk)$");
  private static final long CHECKPOINT_MILLIS = 5_000;
  private static final int MAX_DEVICES = 1_024;

  private final TrackerStore store;
  private final InstantSource clock;
  private final LogRing log;
  private final Map<String, Attached> attached = new ConcurrentSkipListMap<>();

  /** Taken for attach and detach, held across their I/O. */
  private final ReentrantLock changeLock = new ReentrantLock();

  /** Of devices whose size others changed: the size that the log told of. */
  private final Map<String, Long> toldSizes = new ConcurrentHashMap<>();

  /** Who else is told. */
  private volatile DangerListener dangers = (device, cause) -> {};

  private final CountDownLatch stopped = new CountDownLatch(1);
  private final Thread checkpointer;

  /**
   * One device and how it was attached.
   *
   * @param contentId stays while nobody but this engine changes it
   * @param warnings what its opening had to say
   */
  public record Attached(
      TrackedDevice device,
      FileBlockDevice original,
      String path,
      boolean direct,
      UUID contentId,
      List<String> warnings) {
    public String name() {
      return device.name();
    }
  }

  /**
   * @param directory where devices are remembered; made if it is not there
   */
  public TrackerTable(Path directory, Parameters parameters, InstantSource clock, LogRing log) {
    this.store = new TrackerStore(directory, parameters, clock, log);
    this.clock = clock;
    this.log = log;
    this.checkpointer = new Thread(this::checkpoints, "blksnap-checkpoint");
    this.checkpointer.setDaemon(true);
  }

  /**
   * Told once that changes of a device cannot be noted as they have to be, until that works again.
   * Called by any writer; must not block.
   */
  public interface DangerListener {
    void endangered(String device, Errno cause);
  }

  /** Sets who is told from now on. */
  public void tellDangers(DangerListener listener) {
    dangers = listener;
  }

  /** Attaches what was attached before, and starts making checkpoints. */
  public void start() throws IOException {
    attachAgain();
    checkpointer.start();
  }

  /** Attaches what was attached before. A device that fails is named in the log. */
  public void attachAgain() throws IOException {
    changeLock.lock();
    try {
      for (Map.Entry<String, DeviceRecord> entry : store.records().entrySet()) {
        DeviceRecord record = entry.getValue();
        if (record.attached()) {
          try {
            open(
                entry.getKey(),
                store.path(record.path()),
                record.readOnly(),
                record.direct(),
                true);
          } catch (IOException | RuntimeException e) { // one device must not keep the others away
            log.error(
                "tracker: device " + entry.getKey() + " is not attached again: " + e.getMessage());
          }
        }
      }
    } finally {
      changeLock.unlock();
    }
  }

  private void checkpoints() {
    try {
      while (!stopped.await(CHECKPOINT_MILLIS, TimeUnit.MILLISECONDS)) {
        checkpoint();
        lookAtSizes();
      }
    } catch (InterruptedException e) {
      log.debug("tracker: checkpoints end");
    }
  }

  /** One round of checkpoints over all devices; a device that begins to fail tells the log. */
  public void checkpoint() {
    for (Attached device : attached.values()) {
      device.device().checkpoint();
      try {
        observe(device);
      } catch (IOException e) { // detached meanwhile, or its map is lost, which was told before
        log.debug("device " + device.name() + ": not observed: " + e.getMessage());
      }
    }
  }

  /**
   * Attaches a file or block device.
   *
   * @param path absolute
   * @param name empty: made from the file's name
   * @throws BlkSnapException {@code EINVAL} for a name with odd characters, {@code EEXIST} when it
   *     is taken, {@code EBUSY} when the file is attached already, and what opening says
   */
  public Attached attach(Path path, Optional<String> name, boolean readOnly, boolean direct)
      throws IOException {
    String chosen = name.isPresent() ? name.get() : nameFor(path);
    if (!NAME.matcher(chosen).matches()) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "'"
              + chosen
              + "' cannot name a device: 1 to 64 letters, digits, '.', '_' or '-', the first"
              + " a letter or digit");
    }
    changeLock.lock();
    try {
      Attached taken = attached.get(chosen);
      if (taken != null) {
        throw new BlkSnapException(
                Errno.EEXIST, "device name '" + chosen + "' is taken by " + taken.path())
            .withHint("choose another one with --name");
      }
      if (attached.size() == MAX_DEVICES) {
        throw new BlkSnapException(
            Errno.ENOSPC, MAX_DEVICES + " devices are attached, the most there can be");
      }
      requireNotAttached(path);
      // Its content is new to us: areas of snapshots that lost the device cannot go on with it.
      Attached device = open(chosen, path, readOnly, direct, false);
      log.info("tracker: attached " + path + " as " + chosen);
      return device;
    } finally {
      changeLock.unlock();
    }
  }

  private static String nameFor(Path path) {
    String file = String.valueOf(path.getFileName());
    String bare = IMAGE_SUFFIX.matcher(file).replaceFirst("");
    String clean = ODD.matcher(bare).replaceAll("_");
    return clean.length() > 64 ? clean.substring(0, 64) : clean;
  }

  private void requireNotAttached(Path path) throws IOException {
    if (!Files.exists(path)) {
      return; // opening it will say so
    }
    FileStatus wanted;
    try (NativeFile file = NativeFile.open(path, Set.of(NativeFile.Flag.IDENTIFY))) {
      wanted = file.stat();
    }
    for (Attached other : attached.values()) {
      if (other.original().status().sameAs(wanted)) {
        throw new BlkSnapException(
            Errno.EBUSY, path + " is attached already, as device " + other.name());
      }
    }
  }

  @GuardedBy("changeLock")
  private Attached open(
      String name, Path path, boolean readOnly, boolean direct, boolean keepContent)
      throws IOException {
    FileBlockDevice.Cache cache =
        direct ? FileBlockDevice.Cache.DIRECT : FileBlockDevice.Cache.WRITEBACK;
    var writesLost = new AtomicBoolean();
    FileBlockDevice original =
        openSynced(name, path, new FileBlockDevice.Options(readOnly, cache), writesLost);
    boolean opened = false;
    try {
      var record =
          new DeviceRecord(
              path.toString(),
              readOnly,
              direct,
              true,
              false,
              false,
              store.bootId(),
              UUID.randomUUID(),
              OptionalLong.empty(),
              OptionalLong.empty(),
              Stamps.of(original));
      TrackerStore.Opened tracked =
          store.open(name, record, keepContent, writesLost.get(), () -> ContentSample.of(original));
      var device = new TrackedDevice(name, original, tracked.tracking(), clock, new Dangers(), log);
      var entry =
          new Attached(
              device, original, path.toString(), direct, tracked.contentId(), original.warnings());
      tracked.tracking().map().stamps().settle();
      if (tracked.tracking().map().stamps().writesLost()) {
        writeAgain(device, tracked.doubted());
      }
      observe(entry);
      attached.put(name, entry);
      entry.warnings().forEach(warning -> log.warning("device " + name + ": " + warning));
      opened = true;
      return entry;
    } finally {
      if (!opened) {
        original.close();
      }
    }
  }

  /**
   * Opens a device and makes it durable: what its stamps show from then on, a power loss does not
   * take back. The kernel tells of a lost page only once, and of those of an engine that was killed
   * it tells us.
   *
   * @param writesLost set when it told
   */
  private FileBlockDevice openSynced(
      String name, Path path, FileBlockDevice.Options options, AtomicBoolean writesLost)
      throws BlkSnapException {
    FileBlockDevice original = FileBlockDevice.open(path, options);
    if (options.readOnly()) {
      return original;
    }
    try {
      original.sync();
      return original;
    } catch (BlkSnapException e) {
      writesLost.set(true);
      store.loseWrites(name, path.toString());
      log.warning("device " + name + ": " + e.sentence());
      original.close();
    }
    FileBlockDevice again = FileBlockDevice.open(path, options);
    boolean synced = false;
    try {
      again.sync();
      synced = true;
      return again;
    } finally {
      if (!synced) {
        again.close();
      }
    }
  }

  private void writeAgain(TrackedDevice device, List<ByteRange> doubted) throws IOException {
    LostWrites.writeAgain(device, doubted);
    if (device.readOnly()) {
      return; // still in doubt
    }
    device.flush();
    device.writesFound();
    log.warning(
        "device "
            + device.name()
            + ": an earlier flush of it had failed, so "
            + doubted.size()
            + " regions were written again and count as changed");
  }

  /** Every device, by name. */
  public List<Attached> all() {
    return new ArrayList<>(attached.values());
  }

  /**
   * The device with this name.
   *
   * @throws BlkSnapException {@code ENODEV} when there is none
   */
  public Attached find(String name) throws BlkSnapException {
    Attached found = attached.get(name);
    if (found == null) {
      BlkSnapException refusal = TrackerStore.unknown(name);
      throw NearMiss.hint(name, attached.keySet()).map(refusal::withHint).orElse(refusal);
    }
    return found;
  }

  public Optional<Attached> lookup(String name) {
    return Optional.ofNullable(attached.get(name));
  }

  /**
   * Lets a device go; the caller has seen to it that neither a client nor a snapshot uses it. Its
   * map is kept for the next attach of the same file.
   */
  public void detach(String name) throws IOException {
    changeLock.lock();
    try {
      Attached device = find(name);
      close(device, false);
      attached.remove(name);
      toldSizes.remove(name);
      log.info("tracker: detached " + name);
    } finally {
      changeLock.unlock();
    }
  }

  /**
   * Remembers that areas of earlier takes, which are being dropped without having handed down,
   * cannot be missed: older ones of the device must not go on.
   */
  public void breakContent(String name) throws IOException {
    changeLock.lock();
    try {
      Optional<DeviceRecord> record = store.record(name);
      if (record.isPresent() && !attached.containsKey(name)) {
        store.save(name, record.get().withContent(UUID.randomUUID()));
      }
    } finally {
      changeLock.unlock();
    }
  }

  /** Looks whether others changed the size of a device; done at every checkpoint. */
  public void lookAtSizes() {
    attached.values().forEach(this::lookAtSize);
  }

  private void lookAtSize(Attached device) {
    long served = device.device().sizeBytes();
    long present;
    try {
      present = served + device.original().surplusBytes();
    } catch (BlkSnapException e) {
      log.debug("device " + device.name() + ": its size is not known: " + e.sentence());
      return;
    }
    Long told =
        present == served ? toldSizes.remove(device.name()) : toldSizes.put(device.name(), present);
    if (present == served || Long.valueOf(present).equals(told)) {
      return;
    }
    String sizes =
        "device " + device.name() + ": others changed its size from " + served + " to " + present;
    if (present < served) {
      device.device().loseTail(present);
      log.error(sizes + " bytes: what was cut off is lost, and reads of it fail");
    } else {
      log.warning(sizes + " bytes; 'blksnap resize " + device.name() + "' takes them over");
    }
  }

  /** The sizes of a device before and after. */
  public record Resized(long oldBytes, long newBytes) {}

  /**
   * Changes the size of a device and of what is tracked of it. Snapshots keep theirs.
   *
   * @param wanted empty: the size that the file or device has by now
   * @param force also when something is cut off that is still there
   * @throws BlkSnapException {@code EINVAL} for a size that no device can have, or that cuts
   *     something off without force; {@code ENOTSUP} for a size that a block device does not have;
   *     {@code EPERM} for one that a read-only device does not have
   */
  public Resized resize(String name, OptionalLong wanted, boolean force) throws IOException {
    return resize(name, wanted, force, Course.UNWATCHED);
  }

  /** The same, watched: the course may end it while what is cut off is preserved. */
  public Resized resize(String name, OptionalLong wanted, boolean force, Course course)
      throws IOException {
    OptionalLong preserved = OptionalLong.empty();
    while (true) {
      TrackedDevice device;
      changeLock.lock();
      try {
        Attached found = find(name);
        Resized sizes = judge(found, wanted, force);
        device = found.device();
        boolean same = sizes.newBytes == sizes.oldBytes && found.original().surplusBytes() == 0;
        boolean ready = preserved.equals(OptionalLong.of(sizes.newBytes));
        if (same || (ready && resize(found, sizes))) {
          return sizes;
        }
        preserved = OptionalLong.of(sizes.newBytes);
      } finally {
        changeLock.unlock();
      }
      device.preserveTail(preserved.getAsLong(), course); // waits, so not under the lock
    }
  }

  /** The sizes of the device now and as it is wanted. */
  @GuardedBy("changeLock")
  private Resized judge(Attached device, OptionalLong wanted, boolean force)
      throws BlkSnapException {
    lookAtSize(device); // what others cut off is lost, though it may be filled with zeroes again
    String name = device.name();
    long oldSize = device.device().sizeBytes();
    long present = oldSize + device.original().surplusBytes();
    long size = wanted.orElse(present);
    if (size <= 0 || size % SectorRange.SECTOR_BYTES != 0) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "device " + name + " cannot have " + size + " bytes: not a positive multiple of 512");
    }
    if (size < Math.min(oldSize, present) && !force) {
      throw new BlkSnapException(
              Errno.EINVAL,
              "device "
                  + name
                  + " has "
                  + present
                  + " bytes: with "
                  + size
                  + " its end is cut off, and what is there is lost")
          .withHint("--force does it");
    }
    return new Resized(oldSize, size);
  }

  /** False when a snapshot came between and has no room for what is cut off. */
  @GuardedBy("changeLock")
  private boolean resize(Attached device, Resized sizes) throws IOException {
    String name = device.name();
    if (!device.device().resize(sizes.newBytes, store.resizing(name))) {
      return false;
    }
    if (!device.original().readOnly()) {
      device.device().sync(device.original()::sync); // its times too, which the record has
    }
    toldSizes.remove(name);
    store.save(name, record(device));
    if (device.device().mapLost()) {
      rememberLostMap(name); // it may have been lost while the record was made
    }
    observe(device);
    log.info(
        "device " + name + ": resized from " + sizes.oldBytes + " to " + sizes.newBytes + " bytes");
    return true;
  }

  private DeviceRecord record(Attached device) throws IOException {
    FileBlockDevice original = device.original();
    return new DeviceRecord(
        device.path(),
        original.readOnly(),
        device.direct(),
        true,
        false,
        device.device().mapLost(),
        store.bootId(),
        device.contentId(),
        OptionalLong.empty(),
        OptionalLong.empty(),
        Stamps.of(original));
  }

  /** Passes on what a device tells of its map. */
  private final class Dangers implements TrackedDevice.MapLoss {
    @Override
    public void remember(String device) {
      rememberLostMap(device);
    }

    @Override
    public void endangered(String device, Errno cause) {
      dangers.endangered(device, cause);
    }
  }

  private void rememberLostMap(String name) {
    try {
      Optional<DeviceRecord> record = store.record(name);
      if (record.isPresent()) {
        store.save(name, record.get().withLostMap());
      }
    } catch (IOException e) {
      log.error("device " + name + ": that its map is lost cannot be noted: " + e.getMessage());
    }
  }

  /**
   * Remembers how the device looks, if nothing is being written to it: what shows otherwise after a
   * kill, with no write of ours in between, was written by somebody else.
   */
  private static void observe(Attached device) throws IOException {
    FileBlockDevice original = device.original();
    CbtMap observed = device.device().readMap(map -> map); // a resize may exchange it meanwhile
    long begun = device.device().readMap(map -> atRest(map.stamps()));
    if (begun < 0) {
      return;
    }
    // Before the device is asked: what a flush writes out between the two is then counted twice,
    // and never not at all.
    long unflushed = device.device().readMap(map -> map.stamps().unflushedBytes());
    Stamps now = Stamps.of(original);
    device
        .device()
        .readMap(map -> {
          WriteStamps stamps = map.stamps();
          if (map == observed && atRest(stamps) == begun) {
            stamps.observe(
                new WriteStamps.Observation(
                    begun,
                    unflushed,
                    now.modifiedNanos(),
                    now.changedNanos(),
                    now.disk().sectorsWritten()));
          }
          return begun;
        });
  }

  /** Bytes of all writes so far; -1 while some are on their way. */
  private static long atRest(WriteStamps stamps) {
    long ended = stamps.endedBytes();
    return stamps.begunBytes() == ended ? ended : -1;
  }

  /** Everything durable, then the record that says so, then the file. */
  private void close(Attached device, boolean stayAttached) throws IOException {
    FileBlockDevice original = device.original();
    device.device().seal();
    boolean saved = false;
    try {
      if (!original.readOnly()) {
        device
            .device()
            .sync(
                original
                    ::sync); // first: a region is closed only when its data cannot go back any more
      }
      boolean durable = device.device().settle();
      Stamps last = Stamps.of(original);
      OptionalLong sample = OptionalLong.of(ContentSample.of(original));
      store.save(device.name(), record(device).closed(stayAttached, durable, sample, last));
      saved = true;
    } finally {
      if (!saved) {
        device.device().unseal();
      }
    }
    device.device().close();
  }

  /** Refuses a file that is attached; for diff storage. */
  public void refuse(Path path, FileStatus status) throws BlkSnapException {
    for (Attached device : attached.values()) {
      if (device.original().status().sameAs(status)) {
        throw new BlkSnapException(
            Errno.EINVAL,
            "diff storage " + path + " is the device " + device.name() + ", which is tracked");
      }
    }
  }

  /** Stops checkpoints and closes every device in order, leaving it attached for the next load. */
  @Override
  public void close() throws IOException {
    stopped.countDown();
    IOException failure = null;
    changeLock.lock();
    try {
      if (checkpointer.isAlive()) {
        checkpointer.join();
      }
      for (Attached device : all()) {
        try {
          close(device, true);
        } catch (IOException | RuntimeException e) {
          log.error("device " + device.name() + " was not closed in order: " + e.getMessage());
          failure =
              e instanceof IOException io ? io : new BlkSnapException(Errno.EIO, e.toString(), e);
          device.device().close();
        }
        attached.remove(device.name());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      changeLock.unlock();
    }
    if (failure != null) {
      throw failure;
    }
  }
}
