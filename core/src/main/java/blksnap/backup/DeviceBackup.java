package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Closing;
import blksnap.error.Errno;
import blksnap.nbdclient.NbdAddress;
import blksnap.nbdclient.NbdClient;
import blksnap.qcow2.Clusters;
import blksnap.qcow2.Qcow2Chain;
import blksnap.sector.ByteRange;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * One backup of one device: {@link #begin} locks and judges what there is, {@link #copy} makes the
 * files of a new point, {@link #keep} and {@link #publish} bring them to the store, {@link #commit}
 * makes it a point. Closing it before that leaves what was there before; what was on its way to a
 * store of objects is kept, and the next one goes on with it. One thread.
 */
public final class DeviceBackup implements Closeable {
  private final BackupStore store;
  private final String device;
  private final String path;
  private final BackupOptions options;
  private final Closeable lock;
  private final DevicePoints points;
  private final Optional<Manifest> parent;
  private @Nullable PointContent below;
  private Optional<FileSink> sink = Optional.empty();
  private final List<String> notes;
  private Optional<Manifest> made = Optional.empty();
  private Optional<BackupStore.Unsent> unsent = Optional.empty();
  private long startNanos;
  private boolean published;
  private boolean committed;

  /**
   * A disk at one moment.
   *
   * @param export serves it until the backup is closed
   * @param generation whose numbers count later changes; empty: not known
   * @param number later changes have a higher one
   * @param changes what may differ from the point below; empty: that is not known
   */
  public record Image(
      NbdAddress export,
      Instant takenAt,
      Optional<UUID> generation,
      int number,
      String consistency,
      Optional<Ranges> changes) {}

  private DeviceBackup(
      BackupStore store,
      String device,
      String path,
      BackupOptions options,
      Closeable lock,
      DevicePoints points,
      Optional<Manifest> parent,
      List<String> notes) {
    this.store = store;
    this.device = device;
    this.path = path;
    this.options = options;
    this.lock = lock;
    this.points = points;
    this.parent = parent;
    this.notes = List.copyOf(notes);
  }

  /**
   * Locks the device's backups, goes on with an upload that was cut off, removes what else a killed
   * one has left, and finds the point to go on from.
   *
   * @param path of the disk
   * @throws BlkSnapException {@code EBUSY} while another process backs it up there; {@code EBADMSG}
   *     when the chain is damaged, {@code EINVAL} when it is another disk's
   */
  public static DeviceBackup begin(
      BackupStore store, String device, String path, BackupOptions options) throws IOException {
    if (!PointNames.DEVICE.matcher(device).matches()) {
      throw new BlkSnapException(Errno.EINVAL, "'" + device + "' is no name of a device");
    }
    Closeable lock = store.lock(device);
    try {
      List<String> notes = new Resumption(store, device, path, options.load()).run();
      DevicePoints points = new Tidy(store, device).run();
      boolean alone = options.full() || options.raw();
      Optional<Manifest> parent = alone ? Optional.empty() : parent(points, path);
      var backup = new DeviceBackup(store, device, path, options, lock, points, parent, notes);
      backup.below = parent.isPresent() ? open(points, parent.get()) : null;
      return backup;
    } catch (IOException | RuntimeException e) {
      Closing.after(e, List.of(lock));
      throw e;
    }
  }

  private static Optional<Manifest> parent(DevicePoints points, String path)
      throws BlkSnapException {
    if (!points.damaged().isEmpty()) {
      throw notExtended(points.damaged().values().iterator().next());
    }
    Optional<Manifest> latest = points.latest();
    if (latest.isPresent() && !latest.get().path().equals(path)) {
      throw new BlkSnapException(
              Errno.EINVAL,
              "the backups of "
                  + points.device()
                  + " are of "
                  + latest.get().path()
                  + ", not of "
                  + path)
          .withHint("begin a new chain with --full, or name another directory");
    }
    return latest.filter(point -> point.format() == Manifest.DataFormat.QCOW2);
  }

  private static PointContent open(DevicePoints points, Manifest parent) throws IOException {
    try {
      return points.open(parent);
    } catch (BlkSnapException e) {
      throw e.errno() == Errno.EBADMSG ? notExtended(e) : e;
    }
  }

  private static BlkSnapException notExtended(BlkSnapException damage) {
    return new BlkSnapException(
            Errno.EBADMSG, "the chain cannot be extended: " + damage.sentence(), damage)
        .withHint("begin a new chain with --full; 'blksnap verify' tells what is damaged");
  }

  /** The point that this one will go on from; empty: it will be a full one. */
  public Optional<Manifest> parent() {
    return parent;
  }

  /** Sentences about what an earlier backup had left to be uploaded. */
  public List<String> notes() {
    return notes;
  }

  /**
   * Copies the disk into the files of a new point; the image is not needed any more then.
   *
   * @param run common to the devices that are backed up together
   * @throws BlkSnapException {@code ECANCELED} when it was given up
   */
  public void copy(Image image, UUID run) throws IOException {
    startNanos = System.nanoTime();
    String name = PointNames.of(image.takenAt, points.names());
    BackupOptions.Load load = options.load();
    try (NbdClient export = NbdClient.connect(image.export);
        Cursor cursor = new Cursor()) {
      long size = export.sizeBytes();
      requireSize(size);
      Manifest.Looked looked = looked(image);
      var plan = new DiskPlan(ranges(image, size), export, Optional.ofNullable(below), cursor);
      var form =
          new FileSink.Form(
              options.raw() ? Manifest.DataFormat.RAW : Manifest.DataFormat.QCOW2,
              options.compression());
      FileSink files = FileSink.begin(store, device, name, parent.map(Manifest::name), form, size);
      sink = Optional.of(files);
      var counts = new Counts();
      var throttle = new Throttle(load.bytesPerSecond(), System::nanoTime, load.cancelled());
      var crew =
          new Crew<>(
              plan,
              () -> hire(image.export, files.putter(), counts, throttle),
              files::finishBelow,
              load.cancelled());
      throttle.endWith(crew::hasFailed);
      crew.run(
          "blksnap-backup",
          load.jobs(),
          () -> {
            load.listener().at(counts.position("copying " + device, plan.position(), size));
            files.startWriting();
          });
      Manifest.DataFile file = files.complete(counts.stored.get());
      var manifest =
          new Manifest(
              UUID.randomUUID(),
              run,
              device,
              path,
              name,
              points.latest().map(Manifest::sequence).orElse(0L) + 1,
              parent.isPresent() ? Manifest.Kind.INCREMENT : Manifest.Kind.FULL,
              form.format(),
              options.compression(),
              size,
              image.generation,
              image.number,
              image.consistency,
              image.takenAt,
              0,
              looked,
              counts.read.get(),
              counts.changed.get(),
              List.of(file));
      made = Optional.of(lasting(manifest));
    }
  }

  private Manifest lasting(Manifest manifest) {
    return manifest.lasting(Duration.ofNanos(System.nanoTime() - startNanos));
  }

  private Manifest made() {
    return made.orElseThrow(() -> new IllegalStateException("nothing was copied"));
  }

  private Transfer transfer(Manifest manifest) {
    long bytes = manifest.file().bytes() + manifest.file().hashesBytes();
    return new Transfer("uploading " + device, bytes, options.load());
  }

  /**
   * Lets the copy outlive this process, if it may last long to bring it into the store; of devices
   * that are backed up together to be called for each before the first is published.
   *
   * @throws BlkSnapException {@code ECANCELED} when it was given up
   */
  public void keep() throws IOException {
    Manifest manifest = made();
    unsent = store.keep(manifest, parent.map(Manifest::id), transfer(manifest));
  }

  /**
   * Brings the copy into the store, where it is no point yet.
   *
   * @return what will be its manifest
   * @throws BlkSnapException {@code ECANCELED} when it was given up
   */
  public Manifest publish() throws IOException {
    Manifest manifest = made();
    Transfer transfer = transfer(manifest);
    published = true;
    if (unsent.isPresent()) {
      Resumption.send(unsent.get(), device, transfer);
    } else {
      FileSink files = sink.orElseThrow();
      files.publishHashes(transfer);
      files.publishData(transfer);
    }
    manifest = lasting(manifest);
    made = Optional.of(manifest);
    return manifest;
  }

  private Copier hire(NbdAddress export, FileSink.Putter putter, Counts counts, Throttle throttle)
      throws IOException {
    try {
      return new Copier(NbdClient.connect(export), putter, counts, throttle);
    } catch (IOException | RuntimeException e) {
      putter.close();
      throw e;
    }
  }

  private static void requireSize(long size) throws BlkSnapException {
    if (size <= 0 || size > Clusters.MAX_DISK_BYTES || size % 512 != 0) {
      throw new BlkSnapException(
          Errno.EFBIG, "a disk of " + size + " bytes cannot be backed up: 16 TiB are the most");
    }
  }

  private Manifest.Looked looked(Image image) {
    if (parent.isEmpty()) {
      return Manifest.Looked.ALL;
    }
    return image.changes.isPresent() ? Manifest.Looked.MAP : Manifest.Looked.CONTENT;
  }

  private Ranges ranges(Image image, long size) {
    if (parent.isEmpty() || image.changes.isEmpty()) {
      return Ranges.of(new ByteRange(0, size));
    }
    long known = Math.min(parent.get().sizeBytes(), size) & -Clusters.SUB_BYTES;
    return Ranges.before(known, image.changes.get(), size);
  }

  /** Makes what was published a point: from now on it is there. */
  public void commit() throws IOException {
    Manifest manifest = made();
    if (!published) {
      throw new IllegalStateException("nothing was published");
    }
    store.write(device, manifest.name() + PointNames.MANIFEST, manifest.encode());
    committed = true;
    if (unsent.isPresent()) {
      unsent.get().forget();
    }
  }

  @Override
  public void close() throws IOException {
    @Nullable PointContent content = below;
    below = null;
    Closing.all(
        Stream.of(sink.orElse(null), content, (Closeable) this::removeUncommitted, lock)
            .filter(Objects::nonNull)
            .toList());
  }

  /**
   * Of what did not become a point nothing stays, unless it is kept to be gone on with; a kill
   * leaves it to the next backup.
   */
  private void removeUncommitted() throws IOException {
    Optional<Manifest> manifest = made;
    made = Optional.empty();
    if (manifest.isPresent() && published && !committed && unsent.isEmpty()) {
      for (String file : manifest.get().content()) {
        store.delete(device, file);
      }
    }
  }

  /** What was done so far. */
  private static final class Counts {
    private final AtomicLong read = new AtomicLong();
    private final AtomicLong changed = new AtomicLong();
    private final AtomicLong stored = new AtomicLong();

    BackupOptions.Position position(String stage, long done, long total) {
      return new BackupOptions.Position(
          stage,
          done,
          total,
          List.of(
              new BackupOptions.Amount("read", read.get()),
              new BackupOptions.Amount("changed", changed.get()),
              new BackupOptions.Amount("stored", stored.get())));
    }
  }

  /** One thread of the copy, with a connection of its own. */
  private final class Copier implements Crew.Worker<ClusterBatch> {
    private final NbdClient export;
    private final DiskReader reader;
    private final FileSink.Putter putter;
    private final Counts counts;
    private final Throttle throttle;
    private final Cursor cursor = new Cursor();
    private final ByteBuffer before = ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES);

    Copier(NbdClient export, FileSink.Putter putter, Counts counts, Throttle throttle) {
      this.export = export;
      this.reader = new DiskReader(export);
      this.putter = putter;
      this.counts = counts;
      this.throttle = throttle;
    }

    @Override
    public void work(ClusterBatch batch) throws IOException {
      long bytes = 0;
      for (int i = 0; i < batch.count; i++) {
        bytes += (long) Integer.bitCount(batch.data[i]) << Clusters.SUB_SHIFT;
      }
      throttle.take(bytes);
      counts.read.addAndGet(reader.read(batch));
      int changed = 0;
      for (int i = 0; i < batch.count; i++) {
        sift(batch, i);
        changed += Integer.bitCount(batch.data[i]) + Integer.bitCount(batch.zero[i]);
      }
      counts.changed.addAndGet((long) changed << Clusters.SUB_SHIFT);
      counts.stored.addAndGet(putter.put(batch, reader.clusters(0, batch.count)));
    }

    /** Leaves of a cluster what has to be stored. */
    private void sift(ClusterBatch batch, int index) throws IOException {
      ByteBuffer now = reader.cluster(index);
      int zeroes = Qcow2Chain.zeroes(now, batch.data[index]);
      int data = batch.data[index] & ~zeroes;
      @Nullable PointContent content = below;
      if (content == null) {
        batch.data[index] = data;
        batch.zero[index] = 0; // nothing below could show through
        return;
      }
      long cluster = batch.clusters[index];
      int known = content.dataOf(cluster, cursor);
      int comparable = data & known;
      if (comparable != 0) {
        content.readUnchecked(cluster, comparable, before, cursor);
        data &= ~same(now, before, comparable);
      }
      batch.data[index] = data;
      batch.zero[index] = (zeroes | batch.zero[index]) & known;
    }

    private static int same(ByteBuffer one, ByteBuffer other, int which) {
      int same = 0;
      for (int sub = 0; sub < Clusters.SUBS; sub++) {
        int from = sub << Clusters.SUB_SHIFT;
        if ((which >>> sub & 1) != 0
            && one.slice(from, Clusters.SUB_BYTES).mismatch(other.slice(from, Clusters.SUB_BYTES))
                < 0) {
          same |= 1 << sub;
        }
      }
      return same;
    }

    @Override
    public void close() throws IOException {
      Closing.all(List.of(putter, cursor, export));
    }
  }
}
