package blksnap.backup;

import blksnap.qcow2.Clusters;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Finds out what one image must hold in the place of several: what the uppermost of them that says
 * anything says. One thread at a time.
 */
final class MergePlan implements Crew.Source<ClusterBatch> {
  private final ChainContent merged;
  private final Optional<ChainContent> rest;
  private final long diskBytes;

  /** Whether one of the merged disks is shorter: behind its end all reads as zeroes. */
  private final boolean shorter;

  private final Cursor cursor;
  private final AtomicLong next = new AtomicLong();
  private int data;
  private int zero;

  /**
   * @param merged those that become one
   * @param rest those below them; empty: there are none
   */
  MergePlan(ChainContent merged, Optional<ChainContent> rest, Cursor cursor) {
    this.merged = merged;
    this.rest = rest;
    this.diskBytes = merged.diskBytes();
    this.shorter =
        merged.layers().stream().anyMatch(layer -> layer.file().header().diskBytes() < diskBytes);
    this.cursor = cursor;
  }

  /** Bytes of the disk that were gone over. */
  long position() {
    return next.get() << Clusters.CLUSTER_SHIFT;
  }

  @Override
  public Optional<ClusterBatch> next() throws IOException {
    var batch = new ClusterBatch();
    long count = Clusters.count(diskBytes);
    while (next.get() < count && !batch.isFull()) {
      long cluster = next.get();
      int gib = (int) (cluster >>> Clusters.TABLE_SHIFT);
      if (isEmpty(gib)) {
        next.set(Math.min(count, ((long) gib + 1) << Clusters.TABLE_SHIFT));
        continue;
      }
      if (!batch.fits(cluster)) {
        break;
      }
      next.set(cluster + 1);
      judge(cluster);
      if ((data | zero) != 0) {
        batch.add(cluster, data, zero);
      }
    }
    return batch.count == 0 ? Optional.empty() : Optional.of(batch);
  }

  private boolean isEmpty(int gib) {
    boolean nothingBelow = rest.isEmpty() || rest.get().isEmpty(gib);
    return merged.isEmpty(gib) && (!shorter || nothingBelow);
  }

  private void judge(long cluster) throws IOException {
    data = 0;
    zero = 0;
    int open = Clusters.within(cluster, diskBytes);
    for (ChainContent.Layer layer : merged.layers()) {
      int inside = Clusters.within(cluster, layer.file().header().diskBytes());
      zero |= open & ~inside;
      open &= inside;
      if (open == 0) {
        break;
      }
      layer.file().lookup(cluster, cursor.entry);
      data |= open & cursor.entry.data();
      zero |= open & cursor.entry.zero();
      open &= ~(cursor.entry.data() | cursor.entry.zero());
    }
    zero &= rest.isPresent() ? rest.get().dataOf(cluster, cursor) : 0;
  }
}
