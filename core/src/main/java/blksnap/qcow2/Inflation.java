package blksnap.qcow2;

import blksnap.error.BlkSnapException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import org.jspecify.annotations.Nullable;

/** Decompresses clusters, and remembers the last one. One thread at a time. */
public final class Inflation implements Closeable {
  private final Inflater inflater;
  private final ByteBuffer packed = ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES);
  private final ByteBuffer cluster = ByteBuffer.allocateDirect(Clusters.CLUSTER_BYTES);
  private String lastFile = "";
  private long lastOffset;

  /** Made when it is needed: few images are compressed so. */
  private @Nullable ZstdUnpacker zstd;

  public Inflation() {
    this.inflater = new Inflater(true);
  }

  /** The content of the cluster whose compressed bytes begin at {@code offset}. */
  ByteBuffer unpack(ByteFile file, Compression compression, long offset, int mostBytes)
      throws IOException {
    if (offset == lastOffset && file.name().equals(lastFile)) {
      return cluster;
    }
    if (mostBytes > packed.capacity()) {
      throw Qcow2Header.bad(file.name(), "has a compressed cluster of " + mostBytes + " bytes");
    }
    lastOffset = 0;
    packed.clear().limit(mostBytes);
    file.read(offset, packed);
    packed.flip();
    cluster.clear();
    @Nullable Exception wrong = compression == Compression.ZSTD ? unzstd() : inflate();
    if (wrong != null) {
      throw damaged(file, offset, wrong);
    }
    if (cluster.hasRemaining()) {
      throw damaged(file, offset, null);
    }
    lastFile = file.name();
    lastOffset = offset;
    return cluster.rewind();
  }

  private @Nullable Exception inflate() {
    inflater.reset();
    inflater.setInput(packed);
    try {
      while (cluster.hasRemaining() && !inflater.finished()) {
        if (inflater.inflate(cluster) == 0) {
          break; // it needs more, or a dictionary
        }
      }
      return null;
    } catch (DataFormatException e) {
      return e;
    }
  }

  private @Nullable Exception unzstd() throws BlkSnapException {
    @Nullable ZstdUnpacker unpacker = zstd;
    if (unpacker == null) {
      unpacker = ZstdUnpacker.open();
      zstd = unpacker;
    }
    return unpacker.unpack(packed, cluster);
  }

  private static BlkSnapException damaged(ByteFile file, long offset, @Nullable Throwable cause) {
    return new BlkSnapException(
        blksnap.error.Errno.EBADMSG,
        file.name() + " has a compressed cluster at " + offset + " that cannot be decompressed",
        cause);
  }

  @Override
  public void close() {
    inflater.end();
    if (zstd != null) {
      zstd.close();
    }
  }
}
