package blksnap.qcow2;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdCompressCtx;
import java.nio.ByteBuffer;

/** A Zstandard frame for each cluster. */
final class ZstdPacker implements Packer {
  /** The fastest of the usual levels that is still much smaller than deflate's fastest. */
  private static final int LEVEL = 3;

  private final ZstdCompressCtx context;

  /** As large as a frame can become, so that what cannot be compressed is no exception. */
  private final ByteBuffer frame =
      ByteBuffer.allocateDirect((int) Zstd.compressBound(Clusters.CLUSTER_BYTES));

  private ZstdPacker(ZstdCompressCtx context) {
    this.context = context;
  }

  static ZstdPacker open() throws BlkSnapException {
    try {
      return new ZstdPacker(new ZstdCompressCtx().setLevel(LEVEL));
    } catch (LinkageError e) {
      throw missing(e);
    }
  }

  /** It is no part of the JDK, and a program may be built without it. */
  static BlkSnapException missing(LinkageError e) {
    return new BlkSnapException(
        Errno.ENOTSUP, "zstd needs the library zstd-jni, which cannot be loaded: " + e, e);
  }

  @Override
  public boolean pack(ByteBuffer cluster, ByteBuffer packed, int mostBytes) {
    int length =
        context.compressDirectByteBuffer(
            frame, 0, frame.capacity(), cluster, cluster.position(), cluster.remaining());
    if (length > mostBytes) {
      return false;
    }
    packed.clear().put(frame.slice(0, length)).flip();
    return true;
  }

  @Override
  public void close() {
    context.close();
  }
}
