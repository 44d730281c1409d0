package blksnap.qcow2;

import java.nio.ByteBuffer;

/**
 * The arithmetic of our images. A cluster has 32 sub-clusters, so which of them are meant fits the
 * bits of an int, the first one in the lowest.
 */
public final class Clusters {
  public static final int CLUSTER_SHIFT = 17;
  public static final int CLUSTER_BYTES = 1 << CLUSTER_SHIFT;
  public static final int SUB_SHIFT = 12;
  public static final int SUB_BYTES = 1 << SUB_SHIFT;
  public static final int SUBS = CLUSTER_BYTES / SUB_BYTES;

  /** Every sub-cluster of a cluster. */
  public static final int ALL = -1;

  /** Clusters that one L2 table maps: 1 GiB. */
  public static final int TABLE_SHIFT = CLUSTER_SHIFT - 4;

  public static final int TABLE_CLUSTERS = 1 << TABLE_SHIFT;
  public static final int TABLE_BYTES_SHIFT = TABLE_SHIFT + CLUSTER_SHIFT;

  /** Largest disk that an L1 table of one cluster maps: 16 TiB. */
  public static final long MAX_DISK_BYTES =
      (long) (CLUSTER_BYTES / Long.BYTES) << TABLE_BYTES_SHIFT;

  private Clusters() {}

  /** Clusters of a disk; the last one may be short. */
  public static long count(long diskBytes) {
    return (diskBytes + CLUSTER_BYTES - 1) >>> CLUSTER_SHIFT;
  }

  /** Sub-clusters of one cluster that a disk of this size has at least a byte of. */
  public static int within(long cluster, long diskBytes) {
    long left = diskBytes - (cluster << CLUSTER_SHIFT);
    return left <= 0 ? 0 : mask(0, (int) Math.min(SUBS, (left + SUB_BYTES - 1) >>> SUB_SHIFT));
  }

  /**
   * Sub-clusters {@code [from, to)}.
   *
   * @param from 0 to 32
   * @param to from {@code from} to 32
   */
  public static int mask(int from, int to) {
    return from == to ? 0 : (ALL >>> (SUBS - (to - from))) << from;
  }

  /** How many of the lowest bits from {@code from} on are like that one. */
  public static int run(int mask, int from) {
    int rest = mask >>> from;
    int same =
        (rest & 1) == 0
            ? Integer.numberOfTrailingZeros(rest)
            : Integer.numberOfTrailingZeros(~rest);
    return Math.min(same, SUBS - from);
  }

  /** Copies those sub-clusters of a cluster that {@code which} has a bit for. */
  public static void copy(ByteBuffer from, ByteBuffer to, int which) {
    for (int at = 0; at < SUBS && which >>> at != 0; ) {
      int run = run(which, at);
      if ((which >>> at & 1) != 0) {
        int offset = at << SUB_SHIFT;
        to.put(offset, from, offset, run << SUB_SHIFT);
      }
      at += run;
    }
  }
}
