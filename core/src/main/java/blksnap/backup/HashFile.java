package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.qcow2.ByteFile;
import blksnap.qcow2.Clusters;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.UUID;

/**
 * The hashes of what one data file holds; little-endian.
 *
 * <pre>
 * offset  bytes  field
 *      0      4  magic "BHSH"
 *      4      4  version 1
 *      8      8  size of the disk, bytes
 *     16     16  UUID of the data file
 *     32         groups: the clusters of 1 GiB of the disk, each a record of 44 bytes, ascending:
 *                  u32 number of the cluster in the group
 *                  u32 sub-clusters that are data, u32 that are zeroes
 *                  32 SHA-256 of the data, sub-clusters in order
 *                directory: for each group, ascending, 48 bytes:
 *                  u32 number of the group, u32 records, u64 offset, 32 SHA-256 of the records
 *   end-8      4  groups
 *   end-4      4  magic "BHSH"
 * </pre>
 *
 * The manifest has the SHA-256 of the header, the directory and the end.
 */
final class HashFile {
  static final int MAGIC = 'B' | 'H' << 8 | 'S' << 16 | 'H' << 24;
  static final int VERSION = 1;
  static final int HEADER_BYTES = 32;
  static final int RECORD_BYTES = 44;
  static final int DIRECTORY_BYTES = 48;
  static final int END_BYTES = 8;
  static final int HASH_BYTES = 32;

  private HashFile() {}

  static ByteBuffer buffer(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  static ByteBuffer header(long diskBytes, UUID dataFile) {
    return buffer(HEADER_BYTES)
        .putInt(MAGIC)
        .putInt(VERSION)
        .putLong(diskBytes)
        .putLong(dataFile.getMostSignificantBits())
        .putLong(dataFile.getLeastSignificantBits())
        .flip();
  }

  /** Feeds the sub-clusters of a cluster that are data to a digest, in order. */
  static byte[] hash(MessageDigest digest, ByteBuffer cluster, int data) {
    for (int at = 0; at < Clusters.SUBS; ) {
      int run = Clusters.run(data, at);
      if ((data >>> at & 1) != 0) {
        digest.update(cluster.slice(at << Clusters.SUB_SHIFT, run << Clusters.SUB_SHIFT));
      }
      at += run;
    }
    return digest.digest();
  }

  static BlkSnapException damaged(ByteFile file, String what) {
    return new BlkSnapException(Errno.EBADMSG, file.name() + " " + what);
  }
}
