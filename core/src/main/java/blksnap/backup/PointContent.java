package blksnap.backup;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The disk of one point, whatever files it takes. Safe from many threads, each with a {@link
 * Cursor} of its own.
 */
sealed interface PointContent extends Closeable permits ChainContent, RawContent {
  long diskBytes();

  /** Whether a GiB of the disk reads as zeroes altogether. */
  boolean isEmpty(int gib);

  /** Sub-clusters of a cluster that may hold something else than zeroes. */
  int dataOf(long cluster, Cursor cursor) throws IOException;

  /**
   * Reads sub-clusters, and checks them against their hashes.
   *
   * @param wanted which ones; the others of the target are left as they are
   * @param target a direct buffer of a whole cluster, from position 0 on; its position stays
   * @throws blksnap.error.BlkSnapException {@code EBADMSG} when one is not what was stored
   */
  void read(long cluster, int wanted, ByteBuffer target, Cursor cursor) throws IOException;

  /** The same without checking: for what is compared and not handed on. */
  void readUnchecked(long cluster, int wanted, ByteBuffer target, Cursor cursor) throws IOException;
}
