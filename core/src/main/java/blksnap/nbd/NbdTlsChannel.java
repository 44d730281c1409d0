package blksnap.nbd;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.GatheringByteChannel;
import java.nio.channels.SocketChannel;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLEngineResult.Status;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSession;

/**
 * A client's bytes in TLS. One thread reads at a time; any may write; both go on at once. Closing
 * the socket ends both.
 */
final class NbdTlsChannel implements ByteChannel, GatheringByteChannel {
  /** Memory that one needs, in {@value #BUFFERS} pieces of it; each holds a record and more. */
  static final int BUFFER_BYTES = 32 << 10;

  static final int BUFFERS = 3;

  private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

  private final SocketChannel channel;
  private final SSLEngine engine;

  /** Between position and limit: received, not yet decrypted. */
  private final ByteBuffer received;

  /** Between position and limit: decrypted, not yet taken. */
  private final ByteBuffer decrypted;

  /** Guards {@link #sealed}, and what is sent. */
  private final ReentrantLock outLock = new ReentrantLock();

  private final ByteBuffer sealed;

  /** The most that one record decrypts to. */
  private final int mostDecrypted;

  /**
   * @param memory {@value #BUFFERS} buffers of {@link #BUFFER_BYTES}, ours until the connection
   *     ends
   */
  NbdTlsChannel(SocketChannel channel, SSLEngine engine, List<ByteBuffer> memory) {
    this.channel = channel;
    this.engine = engine;
    this.received = memory.get(0).limit(0);
    this.decrypted = memory.get(1).limit(0);
    this.sealed = memory.get(2);
    this.mostDecrypted = engine.getSession().getApplicationBufferSize();
  }

  /**
   * Shakes hands as the server.
   *
   * @throws IOException when the client can not, or its certificate is not believed; it has been
   *     told by then
   */
  SSLSession handshake() throws IOException {
    try {
      engine.beginHandshake();
      while (true) {
        switch (engine.getHandshakeStatus()) {
          case NEED_TASK -> runTasks();
          case NEED_WRAP -> seal(NOTHING);
          case NEED_UNWRAP, NEED_UNWRAP_AGAIN -> unsealForHandshake();
          case FINISHED, NOT_HANDSHAKING -> {
            return engine.getSession();
          }
        }
      }
    } catch (SSLException refused) {
      sayGoodbye();
      throw refused;
    }
  }

  private void runTasks() {
    for (Runnable task = engine.getDelegatedTask();
        task != null;
        task = engine.getDelegatedTask()) {
      task.run();
    }
  }

  private void unsealForHandshake() throws IOException {
    SSLEngineResult result;
    try {
      result = engine.unwrap(received, decrypted.clear());
    } finally {
      decrypted.flip();
    }
    switch (result.getStatus()) {
      case OK -> {}
      case BUFFER_UNDERFLOW -> {
        if (!receive()) {
          throw new EOFException("connection closed within the TLS handshake");
        }
      }
      case BUFFER_OVERFLOW -> throw new SSLException("data within the TLS handshake");
      case CLOSED -> throw new EOFException("the client closed TLS within the handshake");
    }
  }

  private boolean receive() throws IOException {
    received.compact();
    try {
      if (!received.hasRemaining()) {
        throw new SSLException("a record longer than TLS has them");
      }
      return channel.read(received) >= 0;
    } finally {
      received.flip();
    }
  }

  /** -1 when the client has closed, whether TLS or the connection under it. */
  @Override
  public int read(ByteBuffer target) throws IOException {
    int start = target.position();
    while (target.position() == start && target.hasRemaining()) {
      if (decrypted.hasRemaining()) {
        int count = Math.min(target.remaining(), decrypted.remaining());
        target.put(start, decrypted, decrypted.position(), count).position(start + count);
        decrypted.position(decrypted.position() + count);
      } else if (!unseal(target)) {
        return -1;
      }
    }
    return target.position() - start;
  }

  /** Decrypts a record, if one is here, else waits for some of it; false at the end. */
  private boolean unseal(ByteBuffer target) throws IOException {
    boolean direct = target.remaining() >= mostDecrypted;
    ByteBuffer into = direct ? target : decrypted.clear();
    SSLEngineResult result;
    try {
      result = engine.unwrap(received, into);
    } finally {
      if (!direct) {
        decrypted.flip();
      }
    }
    return switch (result.getStatus()) {
      case OK -> {
        afterwards(result.getHandshakeStatus());
        yield true;
      }
      case BUFFER_UNDERFLOW -> receive();
      case BUFFER_OVERFLOW -> throw new SSLException("a record longer than TLS has them");
      case CLOSED -> false;
    };
  }

  /** TLS 1.3 may change its keys at any time; TLS 1.2 would negotiate anew, which is not wanted. */
  private void afterwards(HandshakeStatus status) throws IOException {
    if (status == HandshakeStatus.NOT_HANDSHAKING || status == HandshakeStatus.FINISHED) {
      return;
    }
    if (!engine.getSession().getProtocol().equals("TLSv1.3")) {
      throw new SSLException("the client wants to negotiate TLS anew");
    }
    if (status == HandshakeStatus.NEED_TASK) {
      runTasks();
    }
    if (engine.getHandshakeStatus() == HandshakeStatus.NEED_WRAP) {
      seal(NOTHING);
    }
  }

  @Override
  public int write(ByteBuffer source) throws IOException {
    return seal(source);
  }

  /** Sends some of them: as much as makes a few records. */
  @Override
  public long write(ByteBuffer[] sources, int first, int count) throws IOException {
    return seal(first == 0 && count == sources.length ? sources : cut(sources, first, count));
  }

  private static ByteBuffer[] cut(ByteBuffer[] sources, int first, int count) {
    return Arrays.copyOfRange(sources, first, first + count);
  }

  @Override
  public long write(ByteBuffer[] sources) throws IOException {
    return seal(sources);
  }

  private int seal(ByteBuffer... sources) throws IOException {
    outLock.lock();
    try {
      sealed.clear();
      int consumed = 0;
      SSLEngineResult result;
      do {
        result = engine.wrap(sources, sealed);
        consumed += result.bytesConsumed();
      } while (result.getStatus() == Status.OK
          && result.bytesConsumed() > 0
          && sealed.remaining() >= engine.getSession().getPacketBufferSize()
          && remaining(sources));
      sealed.flip();
      if (result.getStatus() == Status.CLOSED && consumed == 0 && remaining(sources)) {
        throw new ClosedChannelException();
      }
      if (!sealed.hasRemaining() && remaining(sources)) {
        throw new SSLException("TLS sends nothing: " + result);
      }
      while (sealed.hasRemaining()) {
        channel.write(sealed);
      }
      return consumed;
    } finally {
      outLock.unlock();
    }
  }

  private static boolean remaining(ByteBuffer... sources) {
    for (ByteBuffer source : sources) {
      if (source.hasRemaining()) {
        return true;
      }
    }
    return false;
  }

  /** Tells the client that no more comes, or why; whether it hears it is its own affair. */
  void sayGoodbye() {
    outLock.lock();
    try {
      engine.closeOutbound();
      while (!engine.isOutboundDone()) {
        sealed.clear();
        engine.wrap(NOTHING, sealed);
        sealed.flip();
        if (!sealed.hasRemaining()) {
          return;
        }
        while (sealed.hasRemaining()) {
          channel.write(sealed);
        }
      }
    } catch (IOException _) {
      return; // it is gone already
    } finally {
      outLock.unlock();
    }
  }

  @Override
  public boolean isOpen() {
    return channel.isOpen();
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
