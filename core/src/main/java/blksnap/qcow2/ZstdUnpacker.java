package blksnap.qcow2;

import blksnap.error.BlkSnapException;
import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import java.io.Closeable;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** Decompresses what {@link ZstdPacker} made. One thread. */
final class ZstdUnpacker implements Closeable {
  private final ZstdDecompressCtx context;

  private ZstdUnpacker(ZstdDecompressCtx context) {
    this.context = context;
  }

  /**
   * @throws BlkSnapException {@code ENOTSUP} when the library for it is missing
   */
  static ZstdUnpacker open() throws BlkSnapException {
    try {
      return new ZstdUnpacker(new ZstdDecompressCtx());
    } catch (LinkageError e) {
      throw ZstdPacker.missing(e);
    }
  }

  /**
   * Fills {@code cluster} from the frame at the start of {@code packed}; what is behind the frame
   * does not matter.
   *
   * @return what is wrong with the frame, null when it is sound; the cluster may then still have
   *     room
   */
  @Nullable Exception unpack(ByteBuffer packed, ByteBuffer cluster) {
    context.reset();
    try {
      boolean ended = false;
      while (!ended && cluster.hasRemaining() && packed.hasRemaining()) {
        ended = context.decompressDirectByteBufferStream(cluster, packed);
      }
      return null;
    } catch (ZstdException e) {
      return e;
    }
  }

  @Override
  public void close() {
    context.close();
  }
}
