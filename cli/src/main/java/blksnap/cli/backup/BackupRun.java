package blksnap.cli.backup;

import blksnap.backup.BackupOptions;
import blksnap.backup.BackupStore;
import blksnap.backup.DeviceBackup;
import blksnap.backup.Manifest;
import blksnap.backup.Ranges;
import blksnap.cli.command.CommandContext;
import blksnap.cli.command.DeviceArgument;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.nbdclient.NbdAddress;
import blksnap.sector.ByteRange;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/**
 * One backup of one or more devices at one instant: attaches what is not attached, takes a
 * snapshot, copies its images, gives the snapshot back, makes the copies points, and gives
 * everything else back whatever happens. One thread.
 */
final class BackupRun {
  /** Snapshots of backups are called so, with the process behind it. */
  private static final String SNAPSHOT_PREFIX = "backup-";

  /** The last number of an interval; after the take that ends it a new generation begins. */
  private static final int LAST_TAKE = 254;

  /** How often what our own clients use is asked to be given back, and how long apart. */
  private static final int ATTEMPTS = 2_400;

  private static final long ATTEMPT_MILLIS = 25;

  private final CommandContext context;
  private final BackupStore store;
  private final BackupOptions options;
  private final SnapshotWishes wishes;
  private final List<String> warnings = new ArrayList<>();
  private final Map<String, DeviceBackup> backups = new LinkedHashMap<>();
  private final Deque<String> attached = new ArrayDeque<>();
  private Optional<String> snapshot = Optional.empty();

  /**
   * How the snapshot is taken.
   *
   * @param storage absolute path of what keeps old blocks meanwhile
   * @param limitBytes of it
   */
  record SnapshotWishes(Path storage, OptionalLong limitBytes, CtrlRequest.Hooks hooks) {}

  /**
   * What was made.
   *
   * @param warnings sentences for the user
   */
  record Made(UUID run, List<Manifest> points, List<String> warnings) {}

  BackupRun(
      CommandContext context, BackupStore store, BackupOptions options, SnapshotWishes wishes) {
    this.context = context;
    this.store = store;
    this.options = options;
    this.wishes = wishes;
  }

  Made run(List<String> devices) throws IOException, InterruptedException {
    Optional<Throwable> failure = Optional.empty();
    try {
      for (String device : devices) {
        begin(device);
      }
      return copy();
    } catch (IOException | InterruptedException | RuntimeException e) {
      failure = Optional.of(e);
      throw e;
    } finally {
      release(failure);
    }
  }

  private void begin(String argument) throws IOException, InterruptedException {
    CtrlReply.DeviceEntry device = device(argument);
    if (backups.containsKey(device.name())) {
      throw new BlkSnapException(Errno.EINVAL, "device " + device.name() + " is named twice");
    }
    DeviceBackup backup = DeviceBackup.begin(store, device.name(), device.path(), options);
    backups.put(device.name(), backup);
    warnings.addAll(backup.notes());
  }

  private CtrlReply.DeviceEntry device(String argument) throws IOException, InterruptedException {
    var devices = new DeviceArgument(context);
    Optional<CtrlReply.DeviceEntry> known = devices.find(argument);
    if (known.isPresent()) {
      return known.get();
    }
    Path path = context.environment().absolute(Path.of(argument));
    if (Files.notExists(path)) {
      return called(argument, path);
    }
    CtrlReply.Attached reply = devices.attach(path);
    attached.push(reply.device().name());
    warnings.addAll(reply.warnings());
    return reply.device();
  }

  /**
   * The device whose name begins so. A number is not cut: {@code vm1} that is gone must not become
   * backups of {@code vm10} in a place where nobody looks for them.
   */
  private CtrlReply.DeviceEntry called(String start, Path path)
      throws IOException, InterruptedException {
    String none = "no device is called " + start + ", and there is no file " + path;
    CtrlReply.DeviceEntry found;
    try {
      found = new DeviceArgument(context).require(start);
    } catch (BlkSnapException e) {
      throw e.errno() == Errno.ENODEV
          ? new BlkSnapException(Errno.ENODEV, none, e).withHint(e.hint())
          : e;
    }
    boolean cut =
        Character.isDigit(start.charAt(start.length() - 1))
            && Character.isDigit(found.name().charAt(start.length()));
    if (cut) {
      throw new BlkSnapException(Errno.ENODEV, none)
          .withHint("did you mean '" + found.name() + "'?");
    }
    return found;
  }

  private Made copy() throws IOException, InterruptedException {
    destroyStale();
    Map<String, CtrlReply.CbtState> before = maps();
    String name = ownName();
    var request =
        new CtrlRequest.SnapshotCreate(
            List.copyOf(backups.keySet()),
            wishes.storage.toString(),
            wishes.limitBytes.isPresent()
                ? Optional.of(wishes.limitBytes.getAsLong())
                : Optional.empty(),
            Optional.of(name),
            CtrlRequest.Durability.NONE,
            CtrlRequest.OnFull.BREAK,
            true,
            wishes.hooks);
    snapshot = Optional.of(name); // from here on it may be there
    var created = context.ask(request, CtrlReply.Created.class);
    created.taken().ifPresent(taken -> warnings.addAll(taken.warnings()));
    Map<String, CtrlReply.CbtState> after = maps();
    var entry = context.ask(new CtrlRequest.SnapshotInfo(name), CtrlReply.SnapshotEntry.class);
    var images = context.ask(new CtrlRequest.SnapshotImages(name), CtrlReply.Images.class);
    UUID run = UUID.randomUUID();
    int copied = 0;
    for (CtrlReply.ImageEntry image : images.images()) {
      String device = image.device();
      DeviceBackup backup = backups.get(device);
      if (backup == null) {
        throw new BlkSnapException(Errno.EPROTO, "the snapshot has an image of " + device);
      }
      Interval interval = Interval.between(mapOf(before, device), mapOf(after, device));
      backup.copy(image(image, entry, backup, interval), run);
      copied++;
    }
    if (copied != backups.size()) {
      throw new BlkSnapException(
          Errno.EPROTO, "the snapshot has " + copied + " images of " + backups.size() + " devices");
    }
    releaseSnapshot();
    for (DeviceBackup backup : backups.values()) {
      backup.keep();
    }
    List<Manifest> points = new ArrayList<>();
    for (DeviceBackup backup : backups.values()) {
      points.add(backup.publish());
    }
    for (DeviceBackup backup : backups.values()) {
      backup.commit();
    }
    return new Made(run, points, List.copyOf(warnings));
  }

  /** All is copied: writers need not preserve anything while the copies go to the store. */
  private void releaseSnapshot() throws IOException, InterruptedException {
    try {
      askUntilFree(new CtrlRequest.SnapshotDestroy(snapshot.orElseThrow()));
      snapshot = Optional.empty();
    } catch (BlkSnapException _) {
      // asked again at the end, which says so when it is refused again
    }
  }

  private static CtrlReply.CbtState mapOf(Map<String, CtrlReply.CbtState> maps, String device) {
    return Objects.requireNonNull(maps.get(device), "every device was asked for its map");
  }

  private DeviceBackup.Image image(
      CtrlReply.ImageEntry image,
      CtrlReply.SnapshotEntry snapshotEntry,
      DeviceBackup backup,
      Interval interval)
      throws IOException {
    Optional<Manifest> parent = backup.parent();
    boolean known =
        parent.isPresent()
            && interval.ended.isPresent()
            && parent.get().generation().equals(interval.ended);
    if (parent.isPresent() && !known) {
      warnings.add(
          "all of "
              + image.device()
              + " is read: its change map does not reach back to point "
              + parent.get().name());
    }
    return new DeviceBackup.Image(
        NbdAddress.parse(image.uri()),
        snapshotEntry.takenAt().orElseGet(Instant::now),
        interval.next,
        interval.number,
        snapshotEntry.consistency().map(CtrlReply.Consistency::word).orElse("crash-consistent"),
        known ? Optional.of(new Changes(image.device(), parent.get().number())) : Optional.empty());
  }

  private Map<String, CtrlReply.CbtState> maps() throws IOException, InterruptedException {
    Map<String, CtrlReply.CbtState> maps = new LinkedHashMap<>();
    for (String device : backups.keySet()) {
      maps.put(device, context.ask(new CtrlRequest.CbtInfo(device), CtrlReply.CbtState.class));
    }
    return maps;
  }

  /**
   * What our take did to a device's map, as far as the states before and after it tell: others may
   * have taken snapshots meanwhile, and a number that is too low only makes the next backup read
   * more.
   *
   * @param ended generation whose interval it ended; empty: not certain
   * @param next generation in which later changes are found; empty: not certain
   * @param number later changes have a higher one there
   */
  private record Interval(Optional<UUID> ended, Optional<UUID> next, int number) {
    static Interval between(CtrlReply.CbtState before, CtrlReply.CbtState after) {
      boolean same = before.generationId().equals(after.generationId());
      if (same && after.snapNumber() > before.snapNumber()) {
        Optional<UUID> generation = Optional.of(before.generationId());
        return new Interval(generation, generation, before.snapNumber() + 1);
      }
      if (!same && before.snapNumber() == LAST_TAKE && after.snapNumber() == 0) {
        return new Interval(
            Optional.of(before.generationId()), Optional.of(after.generationId()), 0);
      }
      return new Interval(Optional.empty(), Optional.empty(), 0);
    }
  }

  /** The ranges of a device that changed up to our snapshot, a page at a time. */
  private final class Changes implements Ranges {
    private final String device;
    private final int since;
    private OptionalLong next = OptionalLong.of(0);
    private Iterator<ByteRange> page = List.<ByteRange>of().iterator();

    Changes(String device, int since) {
      this.device = device;
      this.since = since;
    }

    @Override
    public Optional<ByteRange> next() throws IOException {
      while (!page.hasNext() && next.isPresent()) {
        // No snapshot can be called so: one that is called 5 would be taken for the number.
        String number = "+" + since;
        var request =
            new CtrlRequest.CbtMap(device, Optional.of(number), snapshot, next.getAsLong());
        CtrlReply.CbtRanges reply = ask(request);
        OptionalLong following = reply.next();
        if (following.isPresent() && following.getAsLong() <= next.getAsLong()) {
          throw new BlkSnapException(Errno.EPROTO, "the pages of the change map do not go on");
        }
        page = reply.ranges().iterator();
        next = following;
      }
      return page.hasNext() ? Optional.of(page.next()) : Optional.empty();
    }

    /** Asked by the threads of the copy, one at a time; the command's own waits for them. */
    private CtrlReply.CbtRanges ask(CtrlRequest.CbtMap request) throws IOException {
      try {
        return context.ask(request, CtrlReply.CbtRanges.class);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new BlkSnapException(Errno.EINTR, "interrupted", e);
      }
    }
  }

  private static String ownName() {
    return SNAPSHOT_PREFIX + ProcessHandle.current().pid() + "-" + Instant.now().getEpochSecond();
  }

  /** Destroys the snapshots of backups whose process is gone. */
  private void destroyStale() throws IOException, InterruptedException {
    for (CtrlReply.SnapshotEntry entry :
        context.ask(new CtrlRequest.SnapshotList(), CtrlReply.Snapshots.class).snapshots()) {
      if (isStale(entry.name())) {
        try {
          context.ask(new CtrlRequest.SnapshotDestroy(entry.name()), CtrlReply.Done.class);
        } catch (BlkSnapException e) {
          warnings.add("snapshot " + entry.name() + " of a dead backup stays: " + e.sentence());
        }
      }
    }
  }

  private static boolean isStale(String name) {
    String[] parts = name.split("-", -1);
    if (!name.startsWith(SNAPSHOT_PREFIX) || parts.length != 3) {
      return false;
    }
    try {
      return ProcessHandle.of(Long.parseLong(parts[1])).isEmpty();
    } catch (NumberFormatException _) {
      return false;
    }
  }

  /** Gives everything back, the last thing first; a failure of that comes second. */
  private void release(Optional<Throwable> failure) throws IOException, InterruptedException {
    List<Giving> steps = new ArrayList<>();
    for (DeviceBackup backup : backups.values()) {
      steps.add(backup::close);
    }
    snapshot.ifPresent(name -> steps.add(() -> destroy(name, failure.isPresent())));
    for (String device : attached) {
      steps.add(() -> askUntilFree(new CtrlRequest.Detach(device)));
    }
    boolean interrupted = Thread.interrupted();
    Optional<IOException> first = Optional.empty();
    for (Giving step : steps) {
      try {
        step.give();
      } catch (IOException e) {
        if (first.isPresent()) {
          first.get().addSuppressed(e);
        } else {
          first = Optional.of(e);
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    if (first.isPresent()) {
      if (failure.isEmpty()) {
        throw first.get();
      }
      failure.get().addSuppressed(first.get());
    }
  }

  @FunctionalInterface
  private interface Giving {
    void give() throws IOException, InterruptedException;
  }

  private void destroy(String name, boolean failed) throws IOException, InterruptedException {
    try {
      askUntilFree(new CtrlRequest.SnapshotDestroy(name));
    } catch (BlkSnapException e) {
      // It may never have been made, or the engine is gone and with it the snapshot.
      if (!failed) {
        throw e;
      }
    }
  }

  /** Asks again while the server has not noticed yet that our own clients have hung up. */
  private void askUntilFree(CtrlRequest request) throws IOException, InterruptedException {
    for (int attempt = 1; ; attempt++) {
      try {
        context.ask(request, CtrlReply.Done.class);
        return;
      } catch (BlkSnapException e) {
        if (e.errno() != Errno.EBUSY || attempt == ATTEMPTS) {
          throw e;
        }
        TimeUnit.MILLISECONDS.sleep(ATTEMPT_MILLIS);
      }
    }
  }
}
