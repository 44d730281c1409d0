package blksnap.backup;

import blksnap.nbdclient.NbdClient;
import blksnap.qcow2.Clusters;
import blksnap.sector.ByteRange;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Finds out what is to be read of a disk: of the ranges that may have changed what the export says
 * is data. Of what it says are zeroes only those sub-clusters matter that the point below has data
 * of. One thread at a time; memory does not grow with the disk.
 */
final class DiskPlan implements Crew.Source<ClusterBatch> {
  private final Ranges ranges;
  private final NbdClient export;
  private final long diskBytes;
  private final Optional<PointContent> below;
  private final Cursor cursor;

  /** Where the plan has come to; read by others to tell how far it is. */
  private final AtomicLong at = new AtomicLong();

  private long rangeEnd;

  /** What the export said of {@code [.., windowEnd)}; the first begins at or before {@code at}. */
  private final Deque<Run> window = new ArrayDeque<>();

  private long cluster = -1;
  private int data;
  private int zero;

  private record Run(long end, boolean zero) {}

  /**
   * @param export stays the caller's
   */
  DiskPlan(Ranges ranges, NbdClient export, Optional<PointContent> below, Cursor cursor) {
    this.ranges = ranges;
    this.export = export;
    this.diskBytes = export.sizeBytes();
    this.below = below;
    this.cursor = cursor;
  }

  /** Bytes of the disk that the plan has gone over. */
  long position() {
    return at.get();
  }

  @Override
  public Optional<ClusterBatch> next() throws IOException {
    var batch = new ClusterBatch();
    while (!batch.isFull()) {
      boolean more = advance();
      if (!batch.fits(cluster)) {
        break; // it opens the next one
      }
      flush(batch);
      if (!more) {
        break;
      }
    }
    return batch.count == 0 ? Optional.empty() : Optional.of(batch);
  }

  /** Puts the cluster that is complete into the batch, if anything of it matters. */
  private void flush(ClusterBatch batch) throws IOException {
    if (cluster >= 0) {
      int gone = zero & ~data;
      if (gone != 0 && below.isPresent()) {
        gone &= below.get().dataOf(cluster, cursor);
      }
      if ((data | gone) != 0) {
        batch.add(cluster, data, gone);
      }
    }
    cluster = -1;
  }

  /**
   * Goes on until {@link #cluster} is complete; asked again at the end it changes nothing.
   *
   * @return whether there may be more behind it
   */
  private boolean advance() throws IOException {
    while (true) {
      long from = at.get();
      if (from >= rangeEnd) {
        Optional<ByteRange> range = ranges.next();
        if (range.isEmpty()) {
          return false;
        }
        long begin = Math.max(from, range.get().offset() & -Clusters.SUB_BYTES);
        long end = (range.get().end() + Clusters.SUB_BYTES - 1) & -Clusters.SUB_BYTES;
        at.set(begin);
        rangeEnd = Math.min(end, diskBytes);
        continue;
      }
      Run run = run(from);
      long end = Math.min(run.end, rangeEnd);
      if (run.zero && below.isEmpty()) {
        at.set(end);
        continue;
      }
      long here = from >>> Clusters.CLUSTER_SHIFT;
      if (cluster >= 0 && cluster != here) {
        return true;
      }
      if (run.zero && skipEmpty(from, end)) {
        continue;
      }
      end = Math.min(end, (here + 1) << Clusters.CLUSTER_SHIFT);
      note(here, from, end, run.zero);
      at.set(end);
    }
  }

  /** Of a GiB that is zeroes below as well nothing matters. */
  private boolean skipEmpty(long from, long end) {
    int gib = (int) (from >>> Clusters.TABLE_BYTES_SHIFT);
    if (cluster >= 0 || !below.orElseThrow().isEmpty(gib)) {
      return false;
    }
    at.set(Math.min(end, ((long) gib + 1) << Clusters.TABLE_BYTES_SHIFT));
    return true;
  }

  private void note(long here, long from, long end, boolean zeroes) {
    if (cluster < 0) {
      cluster = here;
      data = 0;
      zero = 0;
    }
    long start = here << Clusters.CLUSTER_SHIFT;
    int mask =
        Clusters.mask(
            (int) ((from - start) >>> Clusters.SUB_SHIFT),
            (int) ((end - start + Clusters.SUB_BYTES - 1) >>> Clusters.SUB_SHIFT));
    if (zeroes) {
      zero |= mask;
    } else {
      data |= mask;
    }
  }

  /** What the export says of the byte at {@code from} and those behind it. */
  private Run run(long from) throws IOException {
    while (!window.isEmpty() && window.getFirst().end <= from) {
      window.removeFirst();
    }
    if (window.isEmpty()) {
      long end = from;
      for (NbdClient.Extent extent : export.extents(from, diskBytes - from)) {
        end += extent.length();
        window.add(new Run(end, extent.zero()));
      }
    }
    return window.getFirst();
  }
}
