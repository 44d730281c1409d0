package blksnap.device;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.NativeFile;
import java.nio.ByteBuffer;

/** Moves whole buffers with a kernel that may move a part at a time. */
final class Transfer {
  private Transfer() {}

  /**
   * Fills {@code target}, a direct buffer.
   *
   * @param unit a part that does not end on a multiple of this cannot be gone on from: 1 for any
   * @throws BlkSnapException {@code EIO} at the end of the file, which the caller knows to be
   *     further on
   */
  static void read(NativeFile file, long offset, ByteBuffer target, int unit)
      throws BlkSnapException {
    long at = offset;
    while (target.hasRemaining()) {
      int count = file.read(at, target);
      at += count;
      if (count == 0 || (target.hasRemaining() && at % unit != 0)) {
        throw new BlkSnapException(
            Errno.EIO,
            "read of "
                + target.remaining()
                + " bytes at "
                + at
                + " found the end of "
                + file
                + ": it was made shorter while in use");
      }
    }
  }

  /** Writes all of {@code source}, a direct buffer; {@code unit} as above. */
  static void write(NativeFile file, long offset, ByteBuffer source, int unit)
      throws BlkSnapException {
    long at = offset;
    while (source.hasRemaining()) {
      int count = file.write(at, source);
      at += count;
      if (count == 0 || (source.hasRemaining() && at % unit != 0)) {
        throw new BlkSnapException(
            Errno.EIO,
            "write to " + file + " stopped at " + at + ", " + source.remaining() + " bytes short");
      }
    }
  }

  /**
   * The next {@code count} bytes of {@code buffer} as one of their own; {@code buffer} moves past
   * them.
   */
  static ByteBuffer next(ByteBuffer buffer, int count) {
    ByteBuffer part = buffer.slice(buffer.position(), count);
    buffer.position(buffer.position() + count);
    return part;
  }
}
