package blksnap.nbd;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.util.Optional;

/**
 * What a client sends, through a buffer, so that a header and a small payload come by one system
 * call. Used by one thread at a time.
 */
final class NbdInput {
  /** Holds sixteen requests of 4 KiB but one. */
  static final int BUFFER_BYTES = 64 << 10;

  /** The rest of a payload at least this long is read straight to where it belongs. */
  private static final int DIRECT_BYTES = 16 << 10;

  private ReadableByteChannel channel;

  /** Between requests; empty where every wait is a sleep. */
  private Optional<NbdPolling> polling = Optional.empty();

  /** Between position and limit: received, not yet used. */
  private final ByteBuffer buffer;

  private final NbdProgress payloadProgress = new NbdProgress();

  /**
   * @param buffer of at least {@link #BUFFER_BYTES}, ours until the connection ends
   */
  NbdInput(ReadableByteChannel channel, ByteBuffer buffer) {
    this.channel = channel;
    this.buffer = buffer.limit(0);
  }

  /** Everything that comes from now on comes by this; while one thread negotiates. */
  void switchTo(ReadableByteChannel encrypted) {
    channel = encrypted;
  }

  /** From now on looks for a request for a moment before it sleeps; while one thread negotiates. */
  void poll(NbdPolling between) {
    polling = Optional.of(between);
  }

  /** Whether the client may stall us in the middle of a payload. */
  NbdProgress payloadProgress() {
    return payloadProgress;
  }

  /** Bytes that are here already. */
  int buffered() {
    return buffer.remaining();
  }

  /**
   * Waits until {@code bytes} can be taken from {@link #buffer}, without a limit in time.
   *
   * @param bytes at most {@link #BUFFER_BYTES}
   * @return false when the client closed and nothing is left
   * @throws EOFException when it closed after some, but not all, of them
   */
  boolean await(int bytes) throws IOException {
    if (polling.isPresent() && !buffer.hasRemaining()) {
      polling.get().await();
    }
    while (buffer.remaining() < bytes) {
      if (!receive()) {
        if (buffer.hasRemaining()) {
          throw new EOFException("connection closed within a message");
        }
        return false;
      }
    }
    return true;
  }

  /** Where awaited bytes are taken from. */
  ByteBuffer buffer() {
    return buffer;
  }

  /** Fills {@code target} to its limit with payload. */
  void readPayload(ByteBuffer target) throws IOException {
    while (true) {
      copyBuffered(target);
      if (!target.hasRemaining()) {
        return;
      }
      boolean open;
      payloadProgress.begin();
      try {
        open = target.remaining() >= DIRECT_BYTES ? channel.read(target) >= 0 : receive();
      } finally {
        payloadProgress.end();
      }
      if (!open) {
        throw new EOFException("connection closed within a payload");
      }
    }
  }

  /** Throws payload away. */
  void skipPayload(long bytes) throws IOException {
    long left = bytes;
    while (true) {
      int step = (int) Math.min(left, buffer.remaining());
      buffer.position(buffer.position() + step);
      left -= step;
      if (left == 0) {
        return;
      }
      boolean open;
      payloadProgress.begin();
      try {
        open = receive();
      } finally {
        payloadProgress.end();
      }
      if (!open) {
        throw new EOFException("connection closed within a payload");
      }
    }
  }

  private void copyBuffered(ByteBuffer target) {
    int step = Math.min(target.remaining(), buffer.remaining());
    if (step > 0) {
      target.put(target.position(), buffer, buffer.position(), step);
      target.position(target.position() + step);
      buffer.position(buffer.position() + step);
    }
  }

  /** Adds what comes next to the buffer; false when nothing will. */
  private boolean receive() throws IOException {
    buffer.compact();
    try {
      return channel.read(buffer) >= 0;
    } finally {
      buffer.flip();
    }
  }
}
