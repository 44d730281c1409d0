package blksnap.qcow2;

import blksnap.linux.NativeFile;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Hands out the clusters of an image that is being written, from its start to its end, and keeps
 * their reference counts. One refcount block is in memory, that of the clusters handed out last; it
 * stands in the first of them. The writer's lock is held for every call.
 */
final class HostClusters {
  /** The header, the refcount table and the L1 table stand here; the first block between them. */
  static final int REFCOUNT_TABLE = 1;

  private static final int FIRST_BLOCK = 2;
  static final int L1_TABLE = 3;
  private static final int FIRST_FREE = 4;

  /** Clusters that one block counts: 8 GiB of the file. */
  private static final int COUNTED = Clusters.CLUSTER_BYTES / Short.BYTES;

  /** Blocks that a table of one cluster lists: 128 TiB of the file. */
  private static final int MAX_BLOCKS = Clusters.CLUSTER_BYTES / Long.BYTES;

  private final NativeFile file;
  private final ByteBuffer table = ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES);
  private final ByteBuffer block = ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES);
  private final ByteBuffer one = ByteBuffer.allocateDirect(Short.BYTES);
  private int current;
  private long next = FIRST_FREE;

  HostClusters(NativeFile file) {
    this.file = file;
    table.putLong(0, offset(FIRST_BLOCK));
    for (int cluster = 0; cluster < FIRST_FREE; cluster++) {
      block.putShort(cluster * Short.BYTES, (short) 1);
    }
  }

  static long offset(long cluster) {
    return cluster << Clusters.CLUSTER_SHIFT;
  }

  /** Takes neighbouring clusters, each referred to once; the first of them. */
  long take(int count) throws IOException {
    if (next / COUNTED != (next + count - 1) / COUNTED || next % COUNTED == 0) {
      startBlock((int) ((next + count - 1) / COUNTED));
    }
    long first = next;
    next += count;
    for (long cluster = first; cluster < next; cluster++) {
      block.putShort((int) (cluster % COUNTED) * Short.BYTES, (short) 1);
    }
    return first;
  }

  /** What is left of the clusters before stays free: no run crosses the edge. */
  private void startBlock(int index) throws IOException {
    if (index >= MAX_BLOCKS) {
      throw new IllegalArgumentException("an image of " + next + " clusters");
    }
    writeBlock();
    current = index;
    next = (long) index * COUNTED;
    table.putLong(index * Long.BYTES, offset(next));
    block.clear();
    Qcow2Chain.zero(block, Clusters.ALL);
    block.putShort(0, (short) 1); // the block counts itself
    next++;
  }

  private void writeBlock() throws IOException {
    LocalFile.writeFully(file, table.getLong(current * Long.BYTES), block.clear());
  }

  /** Says how often a cluster that was taken is referred to. */
  void count(long cluster, int references) throws IOException {
    int index = (int) (cluster / COUNTED);
    int at = (int) (cluster % COUNTED) * Short.BYTES;
    if (index == current) {
      block.putShort(at, (short) references);
    } else {
      one.clear().putShort((short) references).flip();
      LocalFile.writeFully(file, table.getLong(index * Long.BYTES) + at, one);
    }
  }

  /** Stores the counts; the size of the file, bytes. */
  long finish() throws IOException {
    writeBlock();
    LocalFile.writeFully(file, offset(REFCOUNT_TABLE), table.clear());
    return offset(next);
  }
}
