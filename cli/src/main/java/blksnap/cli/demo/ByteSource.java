package blksnap.cli.demo;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** Bytes that can be read anywhere: an export, or a file. One thread at a time. */
@FunctionalInterface
interface ByteSource {
  /**
   * Fills {@code target} from {@code offset} on.
   *
   * @param offset bytes from the start
   */
  void read(long offset, ByteBuffer target) throws IOException;

  /** A file's bytes. */
  static ByteSource of(FileChannel file) {
    return (offset, target) -> {
      for (long at = offset; target.hasRemaining(); ) {
        int count = file.read(target, at);
        if (count < 0) {
          throw new EOFException("the file ends at " + at);
        }
        at += count;
      }
    };
  }
}
