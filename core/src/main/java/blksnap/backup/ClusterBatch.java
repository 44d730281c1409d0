package blksnap.backup;

import blksnap.qcow2.Clusters;

/** A few clusters of one GiB of a disk, ascending, that one thread works on. */
final class ClusterBatch implements Crew.Part {
  static final int MAX = 8;
  static final int BYTES = MAX * Clusters.CLUSTER_BYTES;

  final long[] clusters = new long[MAX];

  /** Sub-clusters to be read. */
  final int[] data = new int[MAX];

  /** Sub-clusters that are known to read as zeroes. */
  final int[] zero = new int[MAX];

  int count;

  void add(long cluster, int dataMask, int zeroMask) {
    clusters[count] = cluster;
    data[count] = dataMask;
    zero[count] = zeroMask;
    count++;
  }

  boolean isFull() {
    return count == MAX;
  }

  /** Whether a cluster may be in the same batch. */
  boolean fits(long cluster) {
    return count == 0
        || cluster < 0
        || clusters[0] >>> Clusters.TABLE_SHIFT == cluster >>> Clusters.TABLE_SHIFT;
  }

  @Override
  public long firstCluster() {
    return clusters[0];
  }
}
