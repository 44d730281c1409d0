package blksnap.nbd;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.GatheringByteChannel;
import java.util.concurrent.locks.ReentrantLock;

/** What a client receives: whole messages, one after the other. Safe from many threads. */
final class NbdOutput {
  /**
   * Handed to the kernel by one call, so that a slow reader is told from one that stopped reading.
   */
  private static final int SLICE_BYTES = 256 << 10;

  private GatheringByteChannel channel;
  private final NbdProgress progress = new NbdProgress();

  /**
   * Held while a message is sent, so that none lands inside another; also guards the fields below.
   */
  private final ReentrantLock lock = new ReentrantLock();

  private final ByteBuffer[] pair = new ByteBuffer[2];

  /** A message ended too soon: whatever came now would be taken for the rest of it. */
  private boolean broken;

  NbdOutput(GatheringByteChannel channel) {
    this.channel = channel;
  }

  /** Everything is sent by this from now on; while one thread negotiates. */
  void switchTo(GatheringByteChannel encrypted) {
    channel = encrypted;
  }

  /** Ends TLS in order, when nothing else will be sent. */
  void sayGoodbye(NbdTlsChannel encrypted) {
    lock.lock();
    progress.begin();
    try {
      encrypted.sayGoodbye();
    } finally {
      progress.end();
      lock.unlock();
    }
  }

  /** Whether the client leaves replies unread. */
  NbdProgress progress() {
    return progress;
  }

  /** No other message is sent until {@link #end}; what this thread sends is one message. */
  void begin() {
    lock.lock();
  }

  /**
   * After {@link #begin}.
   *
   * @param whole whether all of the message was sent; else nothing more is
   */
  void end(boolean whole) {
    broken |= !whole;
    lock.unlock();
  }

  private void requireWhole() throws IOException {
    if (broken) {
      throw new ClosedChannelException();
    }
  }

  /** Sends everything between position and limit, up to {@link #SLICE_BYTES}. */
  void send(ByteBuffer message) throws IOException {
    lock.lock();
    try {
      requireWhole();
      while (message.hasRemaining()) {
        progress.begin();
        try {
          channel.write(message);
        } finally {
          progress.end();
        }
      }
    } finally {
      lock.unlock();
    }
  }

  /** Sends a header and the payload that belongs to it, of any length. */
  void send(ByteBuffer header, ByteBuffer payload) throws IOException {
    int end = payload.limit();
    lock.lock();
    try {
      requireWhole();
      pair[0] = header;
      pair[1] = payload;
      while (payload.position() < end) {
        payload.limit(Math.min(end, payload.position() + SLICE_BYTES));
        while (payload.hasRemaining()) {
          progress.begin();
          try {
            if (header.hasRemaining()) {
              channel.write(pair);
            } else {
              channel.write(payload);
            }
          } finally {
            progress.end();
          }
        }
      }
    } finally {
      payload.limit(end);
      lock.unlock();
    }
  }
}
