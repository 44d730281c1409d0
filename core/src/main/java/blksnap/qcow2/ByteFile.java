package blksnap.qcow2;

import blksnap.error.BlkSnapException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Bytes that can be read anywhere: a file, or an object of a store. Safe from many threads. */
public interface ByteFile extends Closeable {
  /** What it is called in messages. */
  String name();

  long sizeBytes();

  /**
   * Fills {@code target}, a direct buffer, from its position to its limit.
   *
   * @throws BlkSnapException {@code EBADMSG} when the file ends before that
   */
  void read(long offset, ByteBuffer target) throws IOException;
}
