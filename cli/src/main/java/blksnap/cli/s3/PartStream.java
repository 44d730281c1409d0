package blksnap.cli.s3;

import blksnap.qcow2.ByteFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;

/** A part of a file as a stream; closing it leaves the file open. One thread. */
final class PartStream extends InputStream {
  /** Read from the file at a time. */
  private static final int BYTES = 1 << 17;

  private final ByteFile file;
  private final ByteBuffer block = ByteBuffer.allocateDirect(BYTES).limit(0);
  private long at;
  private long left;

  PartStream(ByteFile file, long offset, long length) {
    this.file = file;
    this.at = offset;
    this.left = length;
  }

  /** Whether there is something in the block. */
  private boolean fill() throws IOException {
    if (!block.hasRemaining() && left > 0) {
      int length = (int) Math.min(BYTES, left);
      file.read(at, block.clear().limit(length));
      block.flip();
      at += length;
      left -= length;
    }
    return block.hasRemaining();
  }

  @Override
  public int read() throws IOException {
    return fill() ? Byte.toUnsignedInt(block.get()) : -1;
  }

  @Override
  public int read(byte[] target, int offset, int length) throws IOException {
    if (length == 0) {
      return 0;
    }
    if (!fill()) {
      return -1;
    }
    int count = Math.min(length, block.remaining());
    block.get(target, offset, count);
    return count;
  }
}
