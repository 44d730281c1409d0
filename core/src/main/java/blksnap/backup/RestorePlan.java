package blksnap.backup;

import blksnap.qcow2.Clusters;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/** Cuts the disk of a point into steps of data and of zeroes. One thread at a time. */
final class RestorePlan implements Crew.Source<RestorePlan.Step> {
  static final ByteBuffer ZEROES =
      ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES).asReadOnlyBuffer();

  private final PointContent content;
  private final boolean clean;
  private final Cursor cursor;
  private final AtomicLong at = new AtomicLong();

  /**
   * A part of the disk, of one GiB; data has at most as many clusters as a batch.
   *
   * @param clean the target reads as zeroes there
   */
  record Step(long offset, long length, boolean zeroes, boolean clean) implements Crew.Part {
    @Override
    public long firstCluster() {
      return offset >>> Clusters.CLUSTER_SHIFT;
    }
  }

  /**
   * @param from bytes, a multiple of a cluster, that are done already
   * @param clean zeroes need not be written
   */
  RestorePlan(PointContent content, long from, boolean clean, Cursor cursor) {
    this.content = content;
    this.clean = clean;
    this.cursor = cursor;
    at.set(from);
  }

  /** Bytes of the disk that were handed out. */
  long position() {
    return at.get();
  }

  @Override
  public Optional<Step> next() throws IOException {
    long size = content.diskBytes();
    while (at.get() < size) {
      long from = at.get();
      int gib = (int) (from >>> Clusters.TABLE_BYTES_SHIFT);
      long gibEnd = Math.min(size, ((long) gib + 1) << Clusters.TABLE_BYTES_SHIFT);
      boolean zeroes = content.isEmpty(gib);
      long end = zeroes ? gibEnd : end(from, gibEnd);
      if (!zeroes) {
        zeroes = isEmpty(from);
      }
      at.set(end);
      if (!zeroes || !clean) {
        return Optional.of(new Step(from, end - from, zeroes, clean));
      }
    }
    return Optional.empty();
  }

  private boolean isEmpty(long offset) throws IOException {
    return content.dataOf(offset >>> Clusters.CLUSTER_SHIFT, cursor) == 0;
  }

  /** The end of the clusters that are like the first one. */
  private long end(long from, long gibEnd) throws IOException {
    boolean zeroes = isEmpty(from);
    long most = zeroes ? gibEnd : Math.min(gibEnd, from + ClusterBatch.BYTES);
    long end = from + Clusters.CLUSTER_BYTES;
    while (end < most && isEmpty(end) == zeroes) {
      end += Clusters.CLUSTER_BYTES;
    }
    return Math.min(end, gibEnd);
  }
}
