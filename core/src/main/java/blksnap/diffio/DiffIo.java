package blksnap.diffio;

import blksnap.buffer.BufferPool;
import blksnap.device.BlockDevice;
import blksnap.error.BlkSnapException;
import blksnap.param.Parameter;
import blksnap.param.Parameters;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The buffers of copy-on-write, and the reading of whole blocks into them. Safe from many threads.
 */
public final class DiffIo implements Closeable {
  /** Bytes in a block. */
  public static final int BLOCK_BYTES = 4096;

  /** Most bytes copied at a time: one read, one write. */
  public static final int MAX_COPY_BYTES = 1 << 20;

  /**
   * Most bytes of copy buffers in use at a time; a writer that needs more waits for another one's
   * copy to end.
   */
  public static final long MAX_BYTES_IN_USE = 64L << 20;

  /**
   * One block a thread, for the edges of unaligned requests: a thread with a buffer must not wait
   * for another.
   */
  private static final ThreadLocal<ByteBuffer> BLOCK =
      ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(BLOCK_BYTES));

  private final BufferPool pool;

  public DiffIo(Parameters parameters) {
    this.pool =
        new BufferPool(
            MAX_BYTES_IN_USE, () -> parameters.getInt(Parameter.FREE_DIFF_BUFFER_POOL_SIZE));
  }

  /**
   * A buffer of {@code bytes}, at most {@link #MAX_COPY_BYTES}; waits while too many are in use.
   *
   * @throws BlkSnapException {@code EINTR} when interrupted
   */
  public BufferPool.Lease take(int bytes) throws BlkSnapException {
    return pool.take(bytes);
  }

  /**
   * Reads whole blocks of a device; what is beyond its end reads as zeroes.
   *
   * @param target filled from its position to its limit, a multiple of 4096 bytes
   */
  public static void readBlocks(BlockDevice device, long offset, ByteBuffer target)
      throws IOException {
    long inside = Math.max(0, Math.min(target.remaining(), device.sizeBytes() - offset));
    int limit = target.limit();
    target.limit(target.position() + (int) inside);
    device.read(offset, target);
    target.limit(limit);
    while (target.hasRemaining()) {
      target.put((byte) 0);
    }
  }

  /** This thread's own block, cleared; only for use within one call that does not call out. */
  public static ByteBuffer blockBuffer() {
    return BLOCK.get().clear();
  }

  /** Frees the buffers that are not in use; twice is harmless. */
  @Override
  public void close() {
    pool.close();
  }

  /** Bytes of buffers in use now. */
  public long bytesInUse() {
    return pool.lentBytes();
  }
}
