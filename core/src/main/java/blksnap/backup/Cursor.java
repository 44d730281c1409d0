package blksnap.backup;

import blksnap.linux.Sha256;
import blksnap.qcow2.ClusterEntry;
import blksnap.qcow2.Clusters;
import blksnap.qcow2.Inflation;
import java.io.Closeable;
import java.nio.ByteBuffer;
import java.security.MessageDigest;

/** What one thread needs to read points. */
final class Cursor implements Closeable {
  final ClusterEntry entry = new ClusterEntry();
  final Inflation inflation = new Inflation();
  final ByteBuffer cluster = ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES);
  final MessageDigest digest = Sha256.create();

  @Override
  public void close() {
    inflation.close();
  }
}
