package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Closing;
import blksnap.error.Errno;
import blksnap.nbdclient.NbdAddress;
import blksnap.nbdclient.NbdClient;
import blksnap.qcow2.Clusters;
import blksnap.sector.ByteRange;
import blksnap.state.Fields;
import blksnap.state.SealedJson;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Reads what points are made of and compares it with the hashes of what was stored. What was found
 * of a point is kept beside it. A data file is read once, however many points lean on it. One
 * thread.
 */
public final class Verification {
  private static final String RECORD = "blksnap_verified";

  private final BackupStore store;
  private final DevicePoints points;
  private final BackupOptions.Load load;

  /** Data files that were read, and what was wrong with them. */
  private final Map<UUID, Optional<BlkSnapException>> files = new HashMap<>();

  public Verification(BackupStore store, DevicePoints points, BackupOptions.Load load) {
    this.store = store;
    this.points = points;
    this.load = load;
  }

  /**
   * Verifies a point with all that it leans on.
   *
   * @return what is wrong with it
   * @throws BlkSnapException when that cannot be found out
   */
  public Optional<BlkSnapException> verify(Manifest point) throws IOException {
    Optional<BlkSnapException> wrong;
    UUID id = point.file().id();
    try (PointContent content = points.open(point)) {
      if (content instanceof ChainContent chain) {
        id = chain.layers().getFirst().file().header().id();
      }
      wrong = verify(point, content);
    } catch (BlkSnapException e) {
      if (e.errno() != Errno.EBADMSG) {
        throw e;
      }
      wrong = Optional.of(e);
    }
    var result =
        new Fields()
            .put("point", point.name())
            .put("file", id.toString())
            .put("at", Instant.now().toString())
            .put("good", wrong.isEmpty());
    wrong.ifPresent(e -> result.put("damage", e.sentence()));
    store.write(
        points.device(), point.name() + PointNames.VERIFIED, SealedJson.write(RECORD, result));
    return wrong;
  }

  private Optional<BlkSnapException> verify(Manifest point, PointContent content)
      throws IOException {
    return switch (content) {
      case ChainContent chain -> {
        for (ChainContent.Layer layer : chain.layers()) {
          Optional<BlkSnapException> wrong = verify(layer);
          if (wrong.isPresent()) {
            yield wrong;
          }
        }
        yield Optional.empty();
      }
      case RawContent raw ->
          read(
              point.dataFile(),
              gibs(raw),
              (gib, cursor, throttle) -> {
                long first = (long) gib << Clusters.TABLE_SHIFT;
                long end =
                    Math.min(Clusters.count(raw.diskBytes()), first + Clusters.TABLE_CLUSTERS);
                for (long cluster = first; cluster < end; cluster++) {
                  throttle.take(Clusters.CLUSTER_BYTES);
                  raw.verify(cluster, cursor);
                }
              });
    };
  }

  private static List<Integer> gibs(PointContent content) {
    int count = (int) ((Clusters.count(content.diskBytes()) - 1) >>> Clusters.TABLE_SHIFT) + 1;
    List<Integer> all = new ArrayList<>();
    for (int gib = 0; gib < count; gib++) {
      all.add(gib);
    }
    return all;
  }

  private Optional<BlkSnapException> verify(ChainContent.Layer layer) throws IOException {
    UUID id = layer.file().header().id();
    Optional<BlkSnapException> known = files.get(id);
    if (known != null) {
      return known;
    }
    var gibs = new TreeSet<>(layer.hashes().groups());
    for (int gib = 0; gib < layer.file().tables(); gib++) {
      if (!layer.file().isEmpty(gib)) {
        gibs.add(gib);
      }
    }
    Optional<BlkSnapException> wrong =
        read(
            layer.file().name(),
            List.copyOf(gibs),
            (gib, cursor, throttle) -> verify(layer, gib, cursor, throttle));
    files.put(id, wrong);
    return wrong;
  }

  /** Every entry of the table has a hash that is right, and every hash an entry. */
  private static void verify(ChainContent.Layer layer, int gib, Cursor cursor, Throttle throttle)
      throws IOException {
    Map<Long, HashIndex.Known> open = new LinkedHashMap<>();
    if (!layer.hashes().isEmpty(gib)) {
      layer.hashes().all(gib).forEach(known -> open.put(known.cluster(), known));
    }
    long first = (long) gib << Clusters.TABLE_SHIFT;
    ByteBuffer target = ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES);
    for (long cluster = first; cluster < first + Clusters.TABLE_CLUSTERS; cluster++) {
      layer.file().lookup(cluster, cursor.entry);
      if ((cursor.entry.data() | cursor.entry.zero()) != 0) {
        throttle.take((long) Integer.bitCount(cursor.entry.data()) << Clusters.SUB_SHIFT);
        layer.read(cluster, cursor.entry.data(), target, cursor);
        open.remove(cluster);
      }
    }
    if (!open.isEmpty()) {
      throw new BlkSnapException(
          Errno.EBADMSG,
          layer.file().name()
              + " is damaged: it does not hold any more what was stored of the disk at "
              + (open.keySet().iterator().next() << Clusters.CLUSTER_SHIFT));
    }
  }

  @FunctionalInterface
  private interface GibCheck {
    void check(int gib, Cursor cursor, Throttle throttle) throws IOException;
  }

  /** One GiB of the disk. */
  private record Gib(int number) implements Crew.Part {
    @Override
    public long firstCluster() {
      return (long) number << Clusters.TABLE_SHIFT;
    }
  }

  private Optional<BlkSnapException> read(String file, List<Integer> gibs, GibCheck check)
      throws IOException {
    Iterator<Integer> left = gibs.iterator();
    var done = new AtomicLong();
    var throttle = new Throttle(load.bytesPerSecond(), System::nanoTime, load.cancelled());
    var crew =
        new Crew<Gib>(
            () -> left.hasNext() ? Optional.of(new Gib(left.next())) : Optional.empty(),
            () -> new Checker(check, done, throttle),
            _ -> {},
            load.cancelled());
    try {
      crew.run(
          "blksnap-verify",
          load.jobs(),
          () ->
              load.listener()
                  .at(
                      new BackupOptions.Position(
                          "verifying " + file,
                          done.get() << Clusters.TABLE_BYTES_SHIFT,
                          (long) gibs.size() << Clusters.TABLE_BYTES_SHIFT,
                          List.of())));
      return Optional.empty();
    } catch (BlkSnapException e) {
      if (e.errno() == Errno.EBADMSG || e.errno() == Errno.EIO) {
        return Optional.of(e);
      }
      throw e;
    }
  }

  private static final class Checker implements Crew.Worker<Gib> {
    private final GibCheck check;
    private final AtomicLong done;
    private final Throttle throttle;
    private final Cursor cursor = new Cursor();

    Checker(GibCheck check, AtomicLong done, Throttle throttle) {
      this.check = check;
      this.done = done;
      this.throttle = throttle;
    }

    @Override
    public void work(Gib part) throws IOException {
      check.check(part.number, cursor, throttle);
      done.incrementAndGet();
    }

    @Override
    public void close() {
      cursor.close();
    }
  }

  /**
   * Compares a point with a disk.
   *
   * @return offset of the first cluster that differs, or of the end of the shorter disk; empty when
   *     they are equal
   */
  public Optional<Long> compare(Manifest point, NbdAddress against) throws IOException {
    var differs = new AtomicLong(Long.MAX_VALUE);
    try (PointContent content = points.open(point);
        NbdClient export = NbdClient.connect(against);
        Cursor cursor = new Cursor()) {
      long size = export.sizeBytes();
      if (size != content.diskBytes()) {
        return Optional.of(Math.min(size, content.diskBytes()));
      }
      Ranges all = Ranges.of(new ByteRange(0, size));
      var plan = new DiskPlan(all, export, Optional.of(content), cursor);
      var crew =
          new Crew<>(
              plan,
              () -> new Comparer(NbdClient.connect(against), content, differs),
              _ -> {},
              load.cancelled());
      crew.run(
          "blksnap-compare",
          load.jobs(),
          () ->
              load.listener()
                  .at(
                      new BackupOptions.Position(
                          "comparing " + point.name(), plan.position(), size, List.of())));
    }
    long first = differs.get();
    return first == Long.MAX_VALUE ? Optional.empty() : Optional.of(first);
  }

  private static final class Comparer implements Crew.Worker<ClusterBatch> {
    private final NbdClient export;
    private final DiskReader reader;
    private final PointContent content;
    private final AtomicLong differs;
    private final Cursor cursor = new Cursor();
    private final ByteBuffer stored = ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES);

    Comparer(NbdClient export, PointContent content, AtomicLong differs) {
      this.export = export;
      this.reader = new DiskReader(export);
      this.content = content;
      this.differs = differs;
    }

    @Override
    public void work(ClusterBatch batch) throws IOException {
      reader.read(batch);
      for (int i = 0; i < batch.count; i++) {
        int zero = batch.zero[i];
        ByteBuffer now = reader.cluster(i);
        blksnap.qcow2.Qcow2Chain.zero(now, zero);
        content.read(batch.clusters[i], batch.data[i] | zero, stored, cursor);
        for (int sub = 0; sub < Clusters.SUBS; sub++) {
          int from = sub << Clusters.SUB_SHIFT;
          if (((batch.data[i] | zero) >>> sub & 1) != 0
              && now.slice(from, Clusters.SUB_BYTES)
                      .mismatch(stored.slice(from, Clusters.SUB_BYTES))
                  >= 0) {
            differs.accumulateAndGet(
                (batch.clusters[i] << Clusters.CLUSTER_SHIFT) + from, Math::min);
          }
        }
      }
    }

    @Override
    public void close() throws IOException {
      Closing.all(List.of(cursor, export));
    }
  }

  /**
   * What was found last of a point.
   *
   * @param damage empty when it was good
   */
  public record Result(Instant at, Optional<String> damage) {}

  /** What was found last of a point as it is now; empty when it was never verified. */
  public static Optional<Result> last(BackupStore store, Manifest point) throws IOException {
    try {
      byte[] text =
          store.read(point.device(), point.name() + PointNames.VERIFIED, SealedJson.MAX_BYTES);
      Fields result = SealedJson.read(RECORD, text, point.name() + PointNames.VERIFIED);
      if (!result.uuid("file").equals(point.file().id())) {
        return Optional.empty(); // it was merged with others since
      }
      Optional<String> damage =
          result.flag("good") ? Optional.empty() : Optional.of(result.text("damage"));
      return Optional.of(new Result(Instant.parse(result.text("at")), damage));
    } catch (BlkSnapException e) {
      if (e.errno() == Errno.ENOENT || e.errno() == Errno.EBADMSG) {
        return Optional.empty();
      }
      throw e;
    } catch (java.time.DateTimeException _) {
      return Optional.empty();
    }
  }
}
