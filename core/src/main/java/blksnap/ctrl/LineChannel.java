package blksnap.ctrl;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Lines over a blocking channel. One thread may read while another writes; two readers or two
 * writers are the caller's to keep apart. Closing from any thread ends both.
 */
final class LineChannel implements Closeable {
  /** Bytes moved at once; the JDK keeps a native buffer of this size for each thread. */
  private static final int PORTION_BYTES = 16 << 10;

  private final ByteChannel channel;
  private final int maxLineBytes;

  /** When the write that is under way last moved, of {@link System#nanoTime}; or that none is. */
  private volatile OptionalLong writingSinceNanos = OptionalLong.empty();

  private final ByteBuffer portion = ByteBuffer.allocate(PORTION_BYTES).limit(0);

  /**
   * @param maxLineBytes most bytes of a line that is read, without its end
   */
  LineChannel(ByteChannel channel, int maxLineBytes) {
    this.channel = channel;
    this.maxLineBytes = maxLineBytes;
  }

  /**
   * The next line without its end; empty when the peer sends no more. The start of a line whose end
   * never came is dropped: half a request must not be obeyed.
   *
   * @throws BlkSnapException {@code EBADMSG} when the line is too long; where the next begins is
   *     not known then
   */
  Optional<byte[]> read() throws IOException {
    byte[] line = new byte[0];
    int length = 0;
    while (true) {
      if (!portion.hasRemaining() && !fill()) {
        return Optional.empty();
      }
      int count = countToLineEnd();
      if (count > maxLineBytes - length) {
        throw new BlkSnapException(
            Errno.EBADMSG, "a line has more than " + maxLineBytes + " bytes");
      }
      if (count > line.length - length) { // exact at first, as most lines come in one portion
        line = Arrays.copyOf(line, length == 0 ? count : grown(length + count));
      }
      portion.get(line, length, count);
      length += count;
      if (portion.hasRemaining()) {
        portion.get(); // the line's end
        return Optional.of(line.length == length ? line : Arrays.copyOf(line, length));
      }
    }
  }

  private int countToLineEnd() {
    int end = portion.position();
    while (end < portion.limit() && portion.get(end) != '\n') {
      end++;
    }
    return end - portion.position();
  }

  /** Twice what is needed, so that a long line is not copied for each portion. */
  private int grown(int needed) {
    return Math.min(needed * 2, maxLineBytes);
  }

  private boolean fill() throws IOException {
    portion.clear();
    int count = channel.read(portion);
    portion.flip();
    return count >= 0;
  }

  /** Writes the whole line, which has its end; blocks while the peer does not read. */
  void write(byte[] line) throws IOException {
    ByteBuffer buffer = ByteBuffer.wrap(line);
    try {
      while (buffer.position() < line.length) {
        buffer.limit(Math.min(line.length, buffer.position() + PORTION_BYTES));
        writingSinceNanos = OptionalLong.of(System.nanoTime());
        channel.write(buffer);
      }
    } finally {
      writingSinceNanos = OptionalLong.empty();
    }
  }

  /** How long the peer has not read what is being written to it; 0 when nothing is. */
  long stalledNanos(long nowNanos) {
    OptionalLong since = writingSinceNanos;
    return since.isPresent() ? nowNanos - since.getAsLong() : 0;
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
