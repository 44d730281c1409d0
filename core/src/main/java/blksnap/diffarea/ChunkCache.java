package blksnap.diffarea;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Preserved blocks that an image has read in small pieces, checked, by chunk; the chunk used
 * longest ago goes first. A preserved block never changes, so nothing here is ever stale. Safe from
 * many threads.
 */
final class ChunkCache {
  private final int chunkBlockShift;
  private final IntSupplier maximumChunks;

  /** Guards {@link #chunks} and the copying in and out. */
  private final ReentrantLock lock = new ReentrantLock();

  @GuardedBy("lock")
  private final LinkedHashMap<Long, Map<Long, byte[]>> chunks =
      new LinkedHashMap<>(16, 0.75f, true);

  /**
   * @param maximumChunks read anew at every insertion; 0 keeps nothing
   */
  ChunkCache(int chunkBlockShift, IntSupplier maximumChunks) {
    this.chunkBlockShift = chunkBlockShift;
    this.maximumChunks = maximumChunks;
  }

  /**
   * Copies bytes of a block from {@code from} on to {@code target}, to its limit; false when it is
   * not here.
   */
  boolean copyTo(long block, int from, ByteBuffer target) {
    lock.lock();
    try {
      Map<Long, byte[]> blocks = chunks.get(block >>> chunkBlockShift);
      byte @Nullable [] bytes = blocks == null ? null : blocks.get(block);
      if (bytes == null) {
        return false;
      }
      target.put(bytes, from, target.remaining());
      return true;
    } finally {
      lock.unlock();
    }
  }

  /** Keeps one whole block, a copy of the 4096 bytes at {@code at}. */
  void keep(long block, ByteBuffer source, int at) {
    int maximum = maximumChunks.getAsInt();
    lock.lock();
    try {
      if (maximum > 0) {
        byte[] bytes = new byte[4096];
        source.get(at, bytes);
        chunks
            .computeIfAbsent(block >>> chunkBlockShift, chunk -> new LinkedHashMap<>())
            .put(block, bytes);
      }
      var oldest = chunks.keySet().iterator();
      while (chunks.size() > maximum && oldest.hasNext()) {
        oldest.next();
        oldest.remove();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Chunks kept now. */
  int size() {
    lock.lock();
    try {
      return chunks.size();
    } finally {
      lock.unlock();
    }
  }
}
