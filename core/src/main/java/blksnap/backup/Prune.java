package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Closing;
import blksnap.qcow2.Clusters;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.LocalDate;
import java.time.ZoneId;
import java.time.temporal.IsoFields;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;

/**
 * Removes points, and makes those that leaned on them lean on what is left: what the removed ones
 * hold is merged into the next one that is kept, whose data file is replaced whole. A crash at any
 * moment leaves every point that is kept as it was or as it will be; {@link Tidy} finishes the
 * rest. One thread.
 */
public final class Prune {
  private final BackupStore store;
  private final String device;
  private final Policy policy;
  private final ZoneId zone;
  private final BackupOptions.Load load;

  /**
   * How many points are kept: the last ones, and the last of each day, week, month that has one.
   */
  public record Policy(int last, int daily, int weekly, int monthly) {
    public Policy {
      if (last < 0 || daily < 0 || weekly < 0 || monthly < 0) {
        throw new IllegalArgumentException("a negative number of points");
      }
    }

    public boolean keepsNothing() {
      return last == 0 && daily == 0 && weekly == 0 && monthly == 0;
    }

    /** Names of the points that are kept. */
    Set<String> kept(List<Manifest> oldestFirst, ZoneId zone) {
      List<Manifest> points = oldestFirst.reversed();
      var kept = new LinkedHashSet<String>();
      points.stream().limit(last).forEach(point -> kept.add(point.name()));
      keep(points, daily, zone, day -> day, kept);
      keep(
          points,
          weekly,
          zone,
          day ->
              day.get(IsoFields.WEEK_BASED_YEAR) * 100 + day.get(IsoFields.WEEK_OF_WEEK_BASED_YEAR),
          kept);
      keep(points, monthly, zone, day -> day.getYear() * 100 + day.getMonthValue(), kept);
      return kept;
    }

    private static void keep(
        List<Manifest> points,
        int count,
        ZoneId zone,
        Function<LocalDate, Object> span,
        Set<String> kept) {
      Set<Object> seen = new HashSet<>();
      for (Manifest point : points) {
        if (seen.size() == count) {
          return;
        }
        if (seen.add(span.apply(point.takenAt().atZone(zone).toLocalDate()))) {
          kept.add(point.name());
        }
      }
    }
  }

  /**
   * What was, or would be, done to the points of one device.
   *
   * @param merged those that were given the content of removed ones
   */
  public record Pruned(
      String device, List<Manifest> kept, List<Manifest> removed, List<Manifest> merged) {
    public Pruned {
      kept = List.copyOf(kept);
      removed = List.copyOf(removed);
      merged = List.copyOf(merged);
    }
  }

  /**
   * @param zone whose days count
   */
  public Prune(
      BackupStore store, String device, Policy policy, ZoneId zone, BackupOptions.Load load) {
    this.store = store;
    this.device = device;
    this.policy = policy;
    this.zone = zone;
    this.load = load;
  }

  /** What {@link #run} would do now. */
  public Pruned plan() throws IOException {
    return plan(DevicePoints.load(store, device));
  }

  private Pruned plan(DevicePoints points) throws IOException {
    if (policy.keepsNothing()) {
      throw new IllegalArgumentException("a policy that keeps nothing");
    }
    for (BlkSnapException wrong : points.damaged().values()) {
      throw wrong; // nobody knows what leans on what
    }
    Set<String> names = policy.kept(points.all(), zone);
    List<Manifest> kept = new ArrayList<>();
    List<Manifest> removed = new ArrayList<>();
    points.all().forEach(point -> (names.contains(point.name()) ? kept : removed).add(point));
    List<Manifest> merged = new ArrayList<>();
    for (Manifest point : kept) {
      List<Manifest> chain = points.chain(point);
      if (chain.size() > 1 && !names.contains(chain.get(1).name())) {
        merged.add(point);
      }
    }
    return new Pruned(device, kept, removed, merged);
  }

  /**
   * Removes what the policy does not keep.
   *
   * @throws BlkSnapException {@code EBUSY} while another process changes the backups; {@code
   *     EBADMSG} when something is damaged, and then no point is removed
   */
  public Pruned run() throws IOException {
    try (Closeable _ = store.lock(device)) {
      DevicePoints points = new Tidy(store, device).run();
      Pruned plan = plan(points);
      Set<String> kept = new HashSet<>();
      plan.kept.forEach(point -> kept.add(point.name()));
      for (Manifest point : plan.merged) {
        merge(DevicePoints.load(store, device), point, kept);
      }
      remove(plan.removed);
      return plan;
    }
  }

  /** The newest first: a kill leaves none that leans on a removed one. */
  private void remove(List<Manifest> removed) throws IOException {
    for (Manifest point : removed.reversed()) {
      store.delete(device, point.name() + PointNames.MANIFEST);
    }
    new Tidy(store, device).run();
  }

  /** Gives a point what the removed ones right below it hold. */
  private void merge(DevicePoints points, Manifest point, Set<String> kept) throws IOException {
    List<Manifest> chain = points.chain(point);
    int upper = 1;
    while (upper < chain.size() && !kept.contains(chain.get(upper).name())) {
      upper++;
    }
    Optional<String> parent =
        upper < chain.size() ? Optional.of(chain.get(upper).name()) : Optional.empty();
    var form = new FileSink.Form(Manifest.DataFormat.QCOW2, point.compression());
    try (ChainContent all = points.openChain(point);
        FileSink sink =
            FileSink.begin(store, device, point.name(), parent, form, point.sizeBytes())) {
      // Parts of the chain, which closes all of them.
      int count = upper;
      var merged = new ChainContent(all.layers().subList(0, count));
      Optional<ChainContent> rest =
          parent.map(_ -> new ChainContent(all.layers().subList(count, all.layers().size())));
      long stored = copy(point, merged, rest, sink);
      replace(point, sink.complete(stored), sink);
    }
  }

  private long copy(Manifest point, ChainContent merged, Optional<ChainContent> rest, FileSink sink)
      throws IOException {
    var stored = new AtomicLong();
    var throttle = new Throttle(load.bytesPerSecond(), System::nanoTime, load.cancelled());
    try (Cursor cursor = new Cursor()) {
      var plan = new MergePlan(merged, rest, cursor);
      var crew =
          new Crew<>(
              plan,
              () -> new Merger(merged, sink.putter(), stored, throttle),
              sink::finishBelow,
              load.cancelled());
      throttle.endWith(crew::hasFailed);
      crew.run(
          "blksnap-merge",
          load.jobs(),
          () ->
              load.listener()
                  .at(
                      new BackupOptions.Position(
                          "merging " + point.name(),
                          plan.position(),
                          point.sizeBytes(),
                          List.of(new BackupOptions.Amount("stored", stored.get())))));
    }
    return stored.get();
  }

  /**
   * Puts the new data file in the place of the old one. Between the two writes of the manifest it
   * tells of both, and the file itself says which it is.
   */
  private void replace(Manifest point, Manifest.DataFile merged, FileSink sink) throws IOException {
    long bytes = merged.bytes() + merged.hashesBytes();
    var transfer = new Transfer("uploading " + point.name(), bytes, load);
    sink.publishHashes(transfer);
    String manifest = point.name() + PointNames.MANIFEST;
    store.write(device, manifest, point.withFiles(List.of(point.file(), merged)).encode());
    sink.publishData(transfer);
    store.write(device, manifest, point.withFiles(List.of(merged)).encode());
  }

  /** One thread of a merge. */
  private static final class Merger implements Crew.Worker<ClusterBatch> {
    private final ChainContent content;
    private final FileSink.Putter putter;
    private final AtomicLong stored;
    private final Throttle throttle;
    private final Cursor cursor = new Cursor();
    private final ByteBuffer clusters = ByteBuffer.allocateDirect(ClusterBatch.BYTES);

    Merger(ChainContent content, FileSink.Putter putter, AtomicLong stored, Throttle throttle) {
      this.content = content;
      this.putter = putter;
      this.stored = stored;
      this.throttle = throttle;
    }

    @Override
    public void work(ClusterBatch batch) throws IOException {
      for (int i = 0; i < batch.count; i++) {
        throttle.take((long) Integer.bitCount(batch.data[i]) << Clusters.SUB_SHIFT);
        ByteBuffer cluster = clusters.slice(i << Clusters.CLUSTER_SHIFT, Clusters.CLUSTER_BYTES);
        content.read(batch.clusters[i], batch.data[i], cluster, cursor);
      }
      stored.addAndGet(putter.put(batch, clusters));
    }

    @Override
    public void close() throws IOException {
      Closing.all(List.of(putter, cursor));
    }
  }
}
