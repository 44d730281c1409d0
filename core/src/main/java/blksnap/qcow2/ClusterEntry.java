package blksnap.qcow2;

/**
 * What an image says of one cluster of its disk; filled anew for each. Sub-clusters that are
 * neither data nor zero are those of the file below, or zeroes where there is none.
 */
public final class ClusterEntry {
  /** Bytes, from the start of the file; of no meaning without data. */
  long offset;

  /** Bytes in the file of a compressed cluster, at most; 0 for one that is not compressed. */
  int compressedBytes;

  int data;
  int zero;

  /** Of no cluster yet. */
  public ClusterEntry() {
    clear();
  }

  /** Sub-clusters whose content is in this file. */
  public int data() {
    return data;
  }

  /** Sub-clusters that read as zeroes. */
  public int zero() {
    return zero;
  }

  void clear() {
    offset = 0;
    compressedBytes = 0;
    data = 0;
    zero = 0;
  }
}
