package blksnap.qcow2;

import blksnap.error.Closing;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * An image with those below it, as QEMU would read it: each sub-cluster from the uppermost file
 * that has it, zeroes where none has, and beyond the end of the disk of a file that is shorter.
 * Safe from many threads, each with an {@link Inflation} of its own.
 */
public final class Qcow2Chain implements Closeable {
  private static final ByteBuffer ZEROES =
      ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES).asReadOnlyBuffer();

  private final List<Qcow2File> files;

  /**
   * @param files the uppermost first; closed by {@link #close}
   */
  public Qcow2Chain(List<Qcow2File> files) {
    this.files = List.copyOf(files);
    if (files.isEmpty()) {
      throw new IllegalArgumentException("a chain of no files");
    }
  }

  /** Size of the uppermost disk. */
  public long diskBytes() {
    return files.getFirst().header().diskBytes();
  }

  /** The uppermost first. */
  public List<Qcow2File> files() {
    return files;
  }

  /** Whether all of the part of the disk that one L2 table maps reads as zeroes. */
  public boolean isEmpty(int table) {
    for (Qcow2File file : files) {
      if (!file.isEmpty(table)) {
        return false;
      }
    }
    return true;
  }

  /** Sub-clusters of a cluster that some file has data of; all others read as zeroes. */
  public int dataOf(long cluster, ClusterEntry scratch) throws IOException {
    int open = Clusters.ALL;
    int data = 0;
    for (Qcow2File file : files) {
      open &= Clusters.within(cluster, file.header().diskBytes());
      if (open == 0) {
        break;
      }
      file.lookup(cluster, scratch);
      data |= open & scratch.data;
      open &= ~(scratch.data | scratch.zero);
    }
    return data;
  }

  /**
   * Reads sub-clusters of one cluster.
   *
   * @param wanted which ones; the others of the target are left as they are
   * @param target a direct buffer of a whole cluster, at position 0
   */
  public void read(
      long cluster, int wanted, ByteBuffer target, ClusterEntry scratch, Inflation inflation)
      throws IOException {
    int open = wanted;
    for (Qcow2File file : files) {
      int inside = Clusters.within(cluster, file.header().diskBytes());
      zero(target, open & ~inside);
      open &= inside;
      if (open == 0) {
        return;
      }
      file.lookup(cluster, scratch);
      zero(target, open & scratch.zero);
      file.read(scratch, open & scratch.data, target, inflation);
      open &= ~(scratch.data | scratch.zero);
    }
    zero(target, open);
  }

  /** Puts zeroes into sub-clusters of a buffer that holds a cluster. */
  public static void zero(ByteBuffer target, int which) {
    for (int at = 0; at < Clusters.SUBS && which >>> at != 0; ) {
      int run = Clusters.run(which, at);
      if ((which >>> at & 1) != 0) {
        int from = at << Clusters.SUB_SHIFT;
        int length = run << Clusters.SUB_SHIFT;
        target.put(from, ZEROES, 0, length);
      }
      at += run;
    }
  }

  /** Which of the wanted sub-clusters in a buffer hold nothing but zeroes. */
  public static int zeroes(ByteBuffer cluster, int wanted) {
    int found = 0;
    ByteBuffer zero = ZEROES.slice(0, Clusters.SUB_BYTES);
    for (int at = 0; at < Clusters.SUBS && wanted >>> at != 0; at++) {
      boolean asked = (wanted >>> at & 1) != 0;
      // The first byte decides for most that are data.
      if (asked
          && cluster.getLong(at << Clusters.SUB_SHIFT) == 0
          && cluster.slice(at << Clusters.SUB_SHIFT, Clusters.SUB_BYTES).mismatch(zero) < 0) {
        found |= 1 << at;
      }
    }
    return found;
  }

  @Override
  public void close() throws IOException {
    Closing.all(files);
  }
}
