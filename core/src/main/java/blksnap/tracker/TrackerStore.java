package blksnap.tracker;

import blksnap.cbt.CbtGeometry;
import blksnap.cbt.CbtMap;
import blksnap.cbt.WriteIntent;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.Directories;
import blksnap.linux.Machine;
import blksnap.log.LogRing;
import blksnap.param.Parameter;
import blksnap.param.Parameters;
import blksnap.sector.ByteRange;
import blksnap.state.Fields;
import blksnap.state.StateFile;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The directory of tracked devices: for each one {@code device} (its record), {@code cbt} (its
 * change map) and {@code intent} (its write-intent record). Used by one thread at a time.
 */
final class TrackerStore {
  /** What a file says that is not, or no longer, what was stored. */
  private static final Set<Errno> DAMAGE = Set.of(Errno.EBADMSG, Errno.EINVAL, Errno.ENOENT);

  /** Ends the name of a file of a generation that is about to begin; a kill may leave one. */
  private static final String ANEW = ".anew";

  private final Path directory;
  private final Parameters parameters;
  private final InstantSource clock;
  private final LogRing log;

  /** Held while a record is written. */
  private final ReentrantLock saveLock = new ReentrantLock();

  TrackerStore(Path directory, Parameters parameters, InstantSource clock, LogRing log) {
    this.directory = directory;
    this.parameters = parameters;
    this.clock = clock;
    this.log = log;
  }

  /** Every record there is, by device name; a damaged one is named in the log and left out. */
  Map<String, DeviceRecord> records() throws IOException {
    Map<String, DeviceRecord> records = new TreeMap<>();
    Directories.make(directory);
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
      for (Path entry : entries) {
        String name = String.valueOf(entry.getFileName());
        if (!TrackerTable.NAME.matcher(name).matches()) {
          log.warning(entry + " is no device of ours and is left alone");
          continue;
        }
        removeUnfinished(name);
        try {
          record(name).ifPresent(record -> records.put(name, record));
        } catch (BlkSnapException e) {
          log.error("tracker: device " + name + " is not attached again: " + e.sentence());
        }
      }
    }
    return records;
  }

  /** A kill may have left half a record, which only the next change of it would replace. */
  private void removeUnfinished(String name) {
    Path unfinished = directory.resolve(name).resolve("device" + StateFile.UNFINISHED);
    try {
      Files.deleteIfExists(unfinished);
    } catch (IOException e) {
      log.debug("tracker: " + unfinished + " cannot be removed: " + e.getMessage());
    }
  }

  Optional<DeviceRecord> record(String name) throws IOException {
    Path file = directory.resolve(name).resolve("device");
    if (!Directories.exists(file)) {
      return Optional.empty();
    }
    Fields fields = StateFile.read(file);
    if (!fields.text("name").equals(name)) {
      throw new BlkSnapException(
          Errno.EBADMSG, file + " is the record of device " + fields.text("name"));
    }
    return Optional.of(DeviceRecord.of(fields));
  }

  void save(String name, DeviceRecord record) throws IOException {
    saveLock.lock();
    try {
      StateFile.write(
          directory.resolve(name).resolve("device"), record.toFields().put("name", name));
    } finally {
      saveLock.unlock();
    }
  }

  /**
   * Opens the map of a device, or makes one of a new generation where the old one cannot be
   * trusted; then remembers that the device is in use.
   *
   * @param fresh what to remember from now on; its content id counts unless the content of before
   *     goes on
   * @param keepContent whether areas of earlier takes may go on with this content
   * @param writesLost whether a sync of the device has failed just now
   * @param sampler looks at the content
   * @throws IOException also when the old map cannot be read just now; nothing is changed then
   */
  Opened open(
      String name, DeviceRecord fresh, boolean keepContent, boolean writesLost, Sampler sampler)
      throws IOException {
    Path home = directory.resolve(name);
    Directories.make(home);
    Files.deleteIfExists(home.resolve("device" + StateFile.UNFINISHED)); // a kill came before
    Optional<DeviceRecord> before;
    try {
      before = record(name).filter(record -> record.path().equals(fresh.path()));
    } catch (BlkSnapException e) {
      if (e.errno() != Errno.EBADMSG) {
        throw e;
      }
      log.warning("device " + name + ": " + e.sentence());
      before = Optional.empty();
    }
    if (before.isPresent()) {
      before = Optional.of(finishResize(name, before.get(), fresh.stamps().sizeBytes()));
    }
    for (String file : MapExchange.FILES) {
      Files.deleteIfExists(home.resolve(file + StateFile.UNFINISHED)); // likewise
      Files.deleteIfExists(home.resolve(file + ANEW));
    }
    Opened opened =
        before.isPresent()
            ? resume(name, before.get(), fresh, writesLost, sampler)
            : create(home, fresh);
    if (!keepContent) {
      opened = new Opened(opened.tracking(), fresh.contentId(), opened.doubted());
    }
    boolean saved = false;
    try {
      save(name, fresh.withContent(opened.contentId()));
      saved = true;
      return opened;
    } finally {
      if (!saved) {
        opened.tracking().intent().close();
        opened.tracking().map().close();
      }
    }
  }

  /** If the engine died while it resized the device: it did, or did not, as the size shows. */
  private DeviceRecord finishResize(String name, DeviceRecord before, long sizeBytes)
      throws IOException {
    OptionalLong to = before.resizing();
    if (to.isEmpty() || to.getAsLong() != sizeBytes) {
      return before;
    }
    new MapExchange(this, name, clock).finish(sizeBytes);
    log.info("device " + name + ": its resize to " + sizeBytes + " bytes is finished");
    return before.resized();
  }

  /**
   * @param contentId that of before where the content goes on
   * @param doubted where the kernel may go back to older content, since a flush failed
   */
  record Opened(TrackedDevice.Tracking tracking, UUID contentId, List<ByteRange> doubted) {}

  /** Makes the checksum of a {@link ContentSample}. */
  interface Sampler {
    long sample() throws IOException;
  }

  private Opened resume(
      String name, DeviceRecord before, DeviceRecord fresh, boolean writesLost, Sampler sampler)
      throws IOException {
    Path home = directory.resolve(name);
    CbtMap map = null;
    WriteIntent intent = null;
    String reason;
    List<ByteRange> everything = List.of(new ByteRange(0, fresh.stamps().sizeBytes()));
    // Nothing that a kernel has in memory outlives it, and where regions are not known a whole disk
    // is not written again for a guess, unless a sync of it has failed just now.
    List<ByteRange> doubted = writesLost ? everything : List.of();
    boolean taken = false;
    try {
      intent = WriteIntent.open(home.resolve("intent"), clock);
      if (writesLost || before.bootId().equals(fresh.bootId())) {
        doubted = intent.openRanges(); // a map that cannot be opened does not say that they are not
      }
      map = CbtMap.open(home.resolve("cbt"));
      if (writesLost) {
        map.stamps().loseWrites();
      }
      if (!map.stamps().writesLost()) {
        doubted = List.of();
      }
      Continuity continuity = judge(before, fresh, map, intent);
      if (continuity instanceof Continuity.Exact
          && before.sample().isPresent()
          && before.sample().getAsLong() != sampler.sample()) {
        continuity = new Continuity.Broken("its content changed while it was not attached");
      }
      switch (continuity) {
        case Continuity.Exact() -> {
          if (!before.bootId().equals(fresh.bootId())) {
            forget(map, writesLost); // counters of a disk begin anew with the machine
          }
          WriteIntent resized = withPresentRegions(home, intent);
          taken = true;
          return new Opened(new TrackedDevice.Tracking(map, resized), before.contentId(), doubted);
        }
        case Continuity.AfterPowerLoss() -> {
          List<ByteRange> open = intent.openRanges();
          for (ByteRange range : open) {
            map.mark(range.offset(), range.length());
          }
          markCutOff(map, before, fresh.stamps().sizeBytes());
          forget(map, writesLost);
          if (!writesLost) {
            // What is there now is all there is: a second power loss changes nothing of it.
            intent.closeRegions(map);
          }
          taken = true;
          log.warning(
              "device "
                  + name
                  + ": after a power loss "
                  + open.size()
                  + " regions count as changed");
          return new Opened(
              new TrackedDevice.Tracking(map, intent),
              before.contentId(),
              writesLost ? open : List.of());
        }
        case Continuity.Broken(String why) -> {
          reason = why;
          if (map.stamps().writesLost()) {
            doubted = everything; // what others wrote as well
          }
        }
      }
    } catch (NoSuchFileException e) {
      reason = "there is no " + e.getFile();
    } catch (BlkSnapException e) {
      if (!DAMAGE.contains(e.errno())) {
        throw e.withHint(
            "its change map goes on when this works again; if it never will, remove "
                + home
                + ", and a new generation begins");
      }
      reason = e.sentence();
    } finally {
      if (!taken && map != null) {
        map.close();
      }
      if (!taken && intent != null) {
        intent.close();
      }
    }
    log.warning("device " + name + ": a new generation, since " + reason);
    return startAnew(home, fresh, doubted);
  }

  /** Forgets what was seen of the device before the machine was started again. */
  private static void forget(CbtMap map, boolean writesLost) {
    map.stamps().reset();
    if (writesLost) {
      map.stamps().loseWrites();
    }
  }

  /** A new generation; what was in doubt stays so, though this should not come to its end. */
  private Opened startAnew(Path home, DeviceRecord fresh, List<ByteRange> doubted)
      throws IOException {
    long sizeBytes = fresh.stamps().sizeBytes();
    TrackedDevice.Tracking made = make(home, sizeBytes, ANEW);
    List<ByteRange> inside =
        doubted.stream()
            .filter(range -> range.offset() < sizeBytes)
            .map(range ->
                new ByteRange(range.offset(), Math.min(range.end(), sizeBytes) - range.offset()))
            .toList();
    boolean opened = false;
    try {
      for (ByteRange range : inside) {
        made.map().stamps().loseWrites();
        made.intent().open(range.offset(), range.length());
      }
      replaceByAnew(home);
      opened = true;
    } finally {
      if (!opened) {
        made.intent().close();
        made.map().close();
      }
    }
    return new Opened(made, fresh.contentId(), inside);
  }

  /**
   * Without a map, what a record says is in doubt. So the old one goes first, and the new one comes
   * when the record has; each step is durable before the next.
   */
  private static void replaceByAnew(Path home) throws IOException {
    Files.deleteIfExists(home.resolve("cbt"));
    Directories.sync(home);
    for (String file : MapExchange.FILES) {
      Files.move(
          home.resolve(file + ANEW), home.resolve(file), StandardCopyOption.REPLACE_EXISTING);
      Directories.sync(home);
    }
  }

  /**
   * Remembers that a flush of a device which is not attached failed, if its map is there.
   *
   * @param path of the device as its record has it
   */
  void loseWrites(String name, String path) {
    try {
      if (record(name).filter(record -> record.path().equals(path)).isPresent()) {
        try (CbtMap map = CbtMap.open(directory.resolve(name).resolve("cbt"))) {
          map.stamps().loseWrites();
        }
      }
    } catch (IOException e) {
      log.debug("device " + name + ": no map that could go on: " + e.getMessage());
    }
  }

  /** What was to be cut off when the power failed may be gone, though the size came back. */
  private static void markCutOff(CbtMap map, DeviceRecord before, long sizeBytes) {
    long to = before.resizing().orElse(sizeBytes);
    if (to < sizeBytes) {
      map.mark(to, sizeBytes - to);
    }
  }

  private Continuity judge(DeviceRecord before, DeviceRecord fresh, CbtMap map, WriteIntent intent)
      throws IOException {
    long sizeBytes = fresh.stamps().sizeBytes();
    if (before.stamps().sizeBytes() == sizeBytes
        && (map.geometry().capacityBytes() != sizeBytes || intent.capacityBytes() != sizeBytes)) {
      return new Continuity.Broken("its map is for another size");
    }
    return Continuity.judge(
        before,
        fresh.stamps(),
        new Continuity.Machine(fresh.bootId(), Machine.of(directory).bootMillis()),
        new Continuity.Left(map.stamps().left(), intent.leaseMillis()));
  }

  /** A record without open regions is made anew where the parameter has changed. */
  private WriteIntent withPresentRegions(Path home, WriteIntent intent) throws IOException {
    int shift = parameters.getInt(Parameter.WRITE_INTENT_REGION_SHIFT);
    if (intent.regionShift() == shift || !intent.openRanges().isEmpty()) {
      return intent;
    }
    Path beside = home.resolve("intent" + StateFile.UNFINISHED);
    Files.deleteIfExists(beside);
    WriteIntent next = WriteIntent.create(beside, intent.capacityBytes(), shift, clock);
    intent.close();
    Files.move(beside, home.resolve("intent"), StandardCopyOption.ATOMIC_MOVE);
    return next;
  }

  /** Of a device that was not known before. */
  private Opened create(Path home, DeviceRecord fresh) throws IOException {
    for (String file : MapExchange.FILES) {
      Files.deleteIfExists(home.resolve(file));
    }
    return new Opened(make(home, fresh.stamps().sizeBytes(), ""), fresh.contentId(), List.of());
  }

  /** Makes a map and a record of a new generation, durable, in files with this suffix. */
  TrackedDevice.Tracking make(Path home, long sizeBytes, String suffix) throws IOException {
    CbtGeometry geometry =
        CbtGeometry.of(
            sizeBytes,
            parameters.getInt(Parameter.TRACKING_BLOCK_MINIMUM_SHIFT),
            parameters.get(Parameter.TRACKING_BLOCK_MAXIMUM_COUNT));
    CbtMap map = CbtMap.create(home.resolve("cbt" + suffix), geometry);
    try {
      var tracking =
          new TrackedDevice.Tracking(
              map,
              WriteIntent.create(
                  home.resolve("intent" + suffix),
                  sizeBytes,
                  parameters.getInt(Parameter.WRITE_INTENT_REGION_SHIFT),
                  clock));
      Directories.sync(home);
      return tracking;
    } catch (IOException | RuntimeException e) {
      map.close();
      throw e;
    }
  }

  /** Makes the map of a device whose size changes. */
  TrackedDevice.Resizing resizing(String name) {
    return new MapExchange(this, name, clock);
  }

  Path home(String name) {
    return directory.resolve(name);
  }

  LogRing log() {
    return log;
  }

  UUID bootId() throws BlkSnapException {
    return Machine.of(directory).bootId();
  }

  /** A path as a record has it. */
  Path path(String recorded) {
    return directory.getFileSystem().getPath(recorded);
  }

  static BlkSnapException unknown(String name) {
    return new BlkSnapException(Errno.ENODEV, "there is no device '" + name + "'");
  }
}
