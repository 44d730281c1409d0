package blksnap.device;

import blksnap.error.BlkSnapException;
import java.io.Closeable;
import java.nio.ByteBuffer;

/**
 * One way to move bytes to and from an open file. Ranges are checked by the caller; any buffer is
 * taken, and direct ones are the fast ones. Safe from many threads.
 */
sealed interface FileIo extends Closeable permits CachedIo, DirectIo {
  /** Most that is moved through a buffer of our own at a time. */
  int BOUNCE_BYTES = 1 << 20;

  /**
   * Fills {@code target} or throws.
   *
   * @param deviceBytes the disk's size, within the file's
   */
  void read(long offset, ByteBuffer target, long deviceBytes) throws BlkSnapException;

  /** Writes all of {@code source}. */
  void write(long offset, ByteBuffer source, long deviceBytes) throws BlkSnapException;

  /**
   * Runs what changes the range without {@link #write}, so that no write puts back bytes it read
   * before.
   */
  <T> T exclude(long offset, long length, Change<T> change) throws BlkSnapException;

  @Override
  void close() throws BlkSnapException;

  /** A change of the file's content, and what it has to say. */
  @FunctionalInterface
  interface Change<T> {
    T make() throws BlkSnapException;
  }
}
