package blksnap.ctrl;

import java.io.Closeable;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;

/** A client that sends what it likes. */
final class RawClient implements Closeable {
  private final SocketChannel channel;
  private final LineChannel lines;

  RawClient(Path socket) throws IOException {
    channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
    lines = new LineChannel(channel, CtrlCodec.MAX_REPLY_BYTES);
  }

  void send(String text) throws IOException {
    send(text.getBytes(StandardCharsets.UTF_8));
  }

  void send(byte[] bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
  }

  void send(long id, CtrlRequest request) throws IOException {
    send(CtrlCodec.request(id, request, false));
  }

  /** The next line; empty at the end, however it came. */
  Optional<String> read() {
    try {
      return lines.read().map(line -> new String(line, StandardCharsets.UTF_8));
    } catch (IOException _) {
      return Optional.empty(); // the server closed with something of ours unread
    }
  }

  /** Says that no more will be sent, and goes on reading. */
  void shutdownOutput() throws IOException {
    channel.shutdownOutput();
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
