package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Closing;
import blksnap.error.Errno;
import blksnap.linux.Directories;
import blksnap.linux.FileStatus;
import blksnap.linux.NativeFile;
import blksnap.nbdclient.NbdAddress;
import blksnap.nbdclient.NbdClient;
import blksnap.qcow2.Clusters;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Writes a point to a file, a block device or an NBD export; every block is checked against its
 * hash on the way. A file that was begun is gone on with: how far it is stands in a record beside
 * it. One thread.
 */
public final class Restore {
  /** Ends the name of the record beside a file that is not complete. */
  public static final String UNFINISHED = ".blksnap-restore";

  /** A restore that is cut off does at most so much again. */
  private static final long CHECKPOINT_BYTES = 1L << 30;

  private final DevicePoints points;
  private final Manifest point;
  private final Way way;
  private final BackupOptions.Load load;
  private final AtomicLong written = new AtomicLong();
  private final AtomicLong read = new AtomicLong();

  /**
   * How a target is treated.
   *
   * @param inPlace only blocks that differ are written
   * @param force also over what is there, larger, or in use
   */
  public record Way(boolean inPlace, boolean force) {}

  /**
   * What was done.
   *
   * @param resumedAt where it went on, bytes; 0: from the start
   */
  public record Done(long sizeBytes, long readBytes, long writtenBytes, long resumedAt) {}

  public Restore(DevicePoints points, Manifest point, Way way, BackupOptions.Load load) {
    this.points = points;
    this.point = point;
    this.way = way;
    this.load = load;
  }

  /**
   * Restores to an export.
   *
   * @throws BlkSnapException {@code ENOSPC} when it is too small, {@code EFBIG} when it is larger
   *     and that was not asked for, {@code EROFS} when it is read-only
   */
  public Done to(NbdAddress export) throws IOException {
    long size;
    boolean several;
    try (NbdClient client = NbdClient.connect(export)) {
      if (client.readOnly()) {
        throw new BlkSnapException(Errno.EROFS, export + " is read-only");
      }
      size = client.sizeBytes();
      several = client.canMultiConn();
    }
    requireFits(size, export.toString());
    try (PointContent content = points.open(point)) {
      run(
          content,
          0,
          several ? load.jobs() : 1,
          false,
          () -> new RestoreTarget.OfExport(export),
          _ -> {});
    }
    return new Done(point.sizeBytes(), read.get(), written.get(), 0);
  }

  /**
   * Restores to a file, which is made if it is not there, or a block device.
   *
   * @param path absolute
   * @throws BlkSnapException {@code EEXIST} when there is a file, {@code EBUSY} when it is in use,
   *     {@code ENOSPC} when a device is too small, {@code EFBIG} when it is larger and that was not
   *     asked for
   */
  public Done to(Path path) throws IOException {
    // Opened first: a damaged point must not cost the target.
    try (PointContent content = points.open(point)) {
      return Files.exists(path) && !Files.isRegularFile(path)
          ? toDevice(path, content)
          : toFile(path, content);
    }
  }

  private Done toDevice(Path path, PointContent content) throws IOException {
    Set<NativeFile.Flag> flags = EnumSet.of(NativeFile.Flag.READ_WRITE);
    if (!way.force) {
      flags.add(NativeFile.Flag.EXCL);
    }
    try (NativeFile device = NativeFile.open(path, flags)) {
      FileStatus status = device.stat();
      if (!status.isBlockDevice()) {
        throw new BlkSnapException(
            Errno.EINVAL, path + " is " + status.kind() + ", neither a file nor a block device");
      }
      requireFits(device.blockDeviceBytes(), path.toString());
      var turn = new ReentrantLock();
      var writeBack = new WriteBack(device, 0);
      run(
          content,
          0,
          load.jobs(),
          false,
          () -> new RestoreTarget.OfFile(device, Optional.empty(), turn),
          writeBack);
      device.sync();
    }
    return new Done(point.sizeBytes(), read.get(), written.get(), 0);
  }

  private void requireFits(long size, String target) throws BlkSnapException {
    if (size < point.sizeBytes()) {
      throw new BlkSnapException(
          Errno.ENOSPC, target + " has " + size + " bytes, the point has " + point.sizeBytes());
    }
    if (size > point.sizeBytes() && !way.force) {
      throw new BlkSnapException(
              Errno.EFBIG,
              target + " has " + size + " bytes, more than the point's " + point.sizeBytes())
          .withHint("--force writes its beginning and leaves the rest as it is");
    }
  }

  private Done toFile(Path path, PointContent content) throws IOException {
    var record = new RestoreRecord(path, point);
    try (NativeFile file =
        NativeFile.open(path, Set.of(NativeFile.Flag.READ_WRITE, NativeFile.Flag.CREATE))) {
      if (!way.force && !file.tryLockExclusive()) {
        throw new BlkSnapException(Errno.EBUSY, path + " is in use by another process");
      }
      long size = file.stat().sizeBytes();
      OptionalLong begun = record.done(file);
      boolean present = begun.isEmpty() && size > 0;
      if (present && !way.force && !way.inPlace) {
        throw new BlkSnapException(Errno.EEXIST, path + " is there already")
            .withHint("--in-place writes only what differs, --force all of it");
      }
      long from = begun.orElse(0);
      boolean kept = present ? way.inPlace : from > 0;
      if (kept && size > point.sizeBytes() && !way.force) {
        throw new BlkSnapException(
                Errno.EFBIG,
                path + " has " + size + " bytes, more than the point's " + point.sizeBytes())
            .withHint("--force cuts it off");
      }
      if (present) {
        record.remove(); // of another restore, whose work ends here
      } else if (begun.isEmpty()) {
        record.write(file, 0);
      }
      if (!kept) {
        file.truncate(0);
      }
      file.truncate(point.sizeBytes());
      var writeBack = new WriteBack(file, from);
      var checkpoint = new Checkpoint(file, record, from);
      Progress progress =
          present
              ? writeBack
              : done -> {
                writeBack.doneBelow(done);
                checkpoint.doneBelow(done);
              };
      fill(file, content, from, !kept, progress);
      file.sync();
      Directories.syncEntry(path);
      record.remove();
      return new Done(point.sizeBytes(), read.get(), written.get(), from);
    }
  }

  /** Writes a regular file, past the page cache if nothing of it has to be read. */
  private void fill(
      NativeFile file, PointContent content, long from, boolean clean, Progress progress)
      throws IOException {
    var turn = new ReentrantLock();
    Optional<NativeFile> direct = way.inPlace ? Optional.empty() : DirectTarget.of(file);
    try {
      run(
          content,
          from,
          load.jobs(),
          clean,
          () -> new RestoreTarget.OfFile(file, direct, turn),
          progress);
    } finally {
      if (direct.isPresent()) {
        direct.get().close();
      }
    }
  }

  /** Hears now and then how far a target is complete, while threads go on with the rest. */
  @FunctionalInterface
  private interface Progress {
    /**
     * @param done bytes from the start
     */
    void doneBelow(long done) throws IOException;
  }

  /** Remembers now and then how far a new file is complete. One thread. */
  private static final class Checkpoint implements Progress {
    private final NativeFile file;
    private final RestoreRecord record;
    private long last;

    Checkpoint(NativeFile file, RestoreRecord record, long from) {
      this.file = file;
      this.record = record;
      this.last = from;
    }

    @Override
    public void doneBelow(long done) throws IOException {
      if (done - last >= CHECKPOINT_BYTES) {
        file.dataSync();
        record.write(file, done);
        last = done;
      }
    }
  }

  /** Keeps the disk busy from the start, or it would have all to do at the end. One thread. */
  private static final class WriteBack implements Progress {
    private final NativeFile file;
    private long last;

    WriteBack(NativeFile file, long from) {
      this.file = file;
      this.last = from;
    }

    @Override
    public void doneBelow(long done) throws IOException {
      if (done > last) {
        file.startWriting(last, done - last);
        last = done;
      }
    }
  }

  /**
   * @param clean the target reads as zeroes from there on
   */
  private void run(
      PointContent content, long from, int jobs, boolean clean, Opener opener, Progress progress)
      throws IOException {
    var throttle = new Throttle(load.bytesPerSecond(), System::nanoTime, load.cancelled());
    var below = new AtomicLong(from);
    try (Cursor cursor = new Cursor()) {
      var plan = new RestorePlan(content, from, clean, cursor);
      var crew =
          new Crew<>(
              plan,
              () -> new Writer(opener.open(), content, throttle),
              cluster -> below.set(Math.min(cluster << Clusters.CLUSTER_SHIFT, point.sizeBytes())),
              load.cancelled());
      throttle.endWith(crew::hasFailed);
      crew.run(
          "blksnap-restore",
          jobs,
          () -> {
            load.listener().at(position(plan.position()));
            progress.doneBelow(below.get());
          });
    }
  }

  private BackupOptions.Position position(long done) {
    return new BackupOptions.Position(
        "restoring " + point.name(),
        done,
        point.sizeBytes(),
        List.of(
            new BackupOptions.Amount("read", read.get()),
            new BackupOptions.Amount("written", written.get())));
  }

  @FunctionalInterface
  private interface Opener {
    RestoreTarget open() throws IOException;
  }

  /** One thread of it. */
  private final class Writer implements Crew.Worker<RestorePlan.Step> {
    private final RestoreTarget target;
    private final PointContent content;
    private final Throttle throttle;
    private final Cursor cursor = new Cursor();
    private final ByteBuffer clusters = DirectTarget.memory(ClusterBatch.BYTES);
    private final ByteBuffer present = ByteBuffer.allocateDirect(ClusterBatch.BYTES);

    Writer(RestoreTarget target, PointContent content, Throttle throttle) {
      this.target = target;
      this.content = content;
      this.throttle = throttle;
    }

    @Override
    public void work(RestorePlan.Step step) throws IOException {
      if (step.zeroes()) {
        zero(step.offset(), step.length());
        return;
      }
      throttle.take(step.length());
      int count = (int) Clusters.count(step.length());
      for (int i = 0; i < count; i++) {
        ByteBuffer cluster = clusters.slice(i << Clusters.CLUSTER_SHIFT, Clusters.CLUSTER_BYTES);
        content.read(step.firstCluster() + i, Clusters.ALL, cluster, cursor);
      }
      read.addAndGet(step.length());
      int length = (int) step.length();
      if (way.inPlace) {
        target.read(step.offset(), present.clear().limit(length));
        writeWhatDiffers(step.offset(), length);
      } else if (step.clean()) {
        writeData(step.offset(), length);
      } else {
        write(step.offset(), 0, length);
      }
    }

    private void zero(long offset, long length) throws IOException {
      if (!way.inPlace) {
        target.zero(offset, length);
        return;
      }
      for (long at = offset; at < offset + length; at += ClusterBatch.BYTES) {
        int part = (int) Math.min(ClusterBatch.BYTES, offset + length - at);
        target.read(at, present.clear().limit(part));
        for (int from = 0; from < part; from += Clusters.CLUSTER_BYTES) {
          int bytes = Math.min(Clusters.CLUSTER_BYTES, part - from);
          if (!isZero(present, from, bytes)) {
            target.zero(at + from, bytes);
            written.addAndGet(bytes);
          }
        }
      }
    }

    /** Into what reads as zeroes only the rest is written. */
    private void writeData(long offset, int length) throws IOException {
      int start = -1;
      for (int at = 0; at < length; at += Clusters.SUB_BYTES) {
        boolean zero = isZero(clusters, at, Math.min(Clusters.SUB_BYTES, length - at));
        start = turn(offset, start, at, !zero);
      }
      turn(offset, start, length, false);
    }

    private void writeWhatDiffers(long offset, int length) throws IOException {
      int start = -1;
      for (int at = 0; at < length; at += Clusters.SUB_BYTES) {
        int bytes = Math.min(Clusters.SUB_BYTES, length - at);
        boolean differs = clusters.slice(at, bytes).mismatch(present.slice(at, bytes)) >= 0;
        start = turn(offset, start, at, differs);
      }
      turn(offset, start, length, false);
    }

    /** Begins, goes on with or ends a run that is written; where it began, or -1. */
    private int turn(long offset, int start, int at, boolean wanted) throws IOException {
      if (wanted) {
        return start < 0 ? at : start;
      }
      if (start >= 0) {
        write(offset, start, at);
      }
      return -1;
    }

    private void write(long offset, int from, int to) throws IOException {
      target.write(offset + from, clusters.slice(from, to - from));
      written.addAndGet(to - from);
    }

    @Override
    public void close() throws IOException {
      Closing.all(List.of(cursor, target));
    }
  }

  private static boolean isZero(ByteBuffer bytes, int from, int length) {
    return bytes.slice(from, length).mismatch(RestorePlan.ZEROES.slice(0, length)) < 0;
  }
}
