package blksnap.qcow2;

import blksnap.error.BlkSnapException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/** Decompresses clusters, and remembers the last one. One thread at a time. */
public final class Inflation implements Closeable {
  private final Inflater inflater;
  private final ByteBuffer packed = ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES);
  private final ByteBuffer cluster = ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES);
  private String lastFile = "";
  private long lastOffset;

  public Inflation() {
    this.inflater = new Inflater(true);
  }

  /** The content of the cluster whose compressed bytes begin at {@code offset}. */
  ByteBuffer inflate(ByteFile file, long offset, int mostBytes) throws IOException {
    if (offset == lastOffset && file.name().equals(lastFile)) {
      return cluster;
    }
    if (mostBytes > packed.capacity()) {
      throw Qcow2Header.bad(file.name(), "has a compressed cluster of " + mostBytes + " bytes");
    }
    lastOffset = 0;
    packed.clear().limit(mostBytes);
    file.read(offset, packed);
    cluster.clear();
    inflater.reset();
    inflater.setInput(packed.flip());
    try {
      while (cluster.hasRemaining() && !inflater.finished()) {
        if (inflater.inflate(cluster) == 0) {
          break; // it needs more, or a dictionary
        }
      }
    } catch (DataFormatException e) {
      throw damaged(file, offset, e);
    }
    if (cluster.hasRemaining()) {
      throw damaged(file, offset, null);
    }
    lastFile = file.name();
    lastOffset = offset;
    return cluster.rewind();
  }

  private static BlkSnapException damaged(
      ByteFile file, long offset, @org.jspecify.annotations.Nullable Throwable cause) {
    return new BlkSnapException(
        blksnap.error.Errno.EBADMSG,
        file.name() + " has a compressed cluster at " + offset + " that cannot be decompressed",
        cause);
  }

  @Override
  public void close() {
    inflater.end();
  }
}
