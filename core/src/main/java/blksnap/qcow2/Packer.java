package blksnap.qcow2;

import java.io.Closeable;
import java.nio.ByteBuffer;

/** Compresses clusters; for one thread. */
public interface Packer extends Closeable {
  /** Compresses nothing. */
  Packer NOTHING =
      new Packer() {
        @Override
        public boolean pack(ByteBuffer cluster, ByteBuffer packed, int mostBytes) {
          return false;
        }

        @Override
        public void close() {}
      };

  /**
   * Compresses a cluster.
   *
   * @param cluster direct; all that remains, and its position stays
   * @param packed direct, of a cluster's size; filled and flipped when it is worth it
   * @param mostBytes that it may become, positive
   * @return whether it became no more than that
   */
  boolean pack(ByteBuffer cluster, ByteBuffer packed, int mostBytes);

  @Override
  void close();
}
