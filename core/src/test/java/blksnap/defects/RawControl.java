package blksnap.defects;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** One line to the control socket, and the line that comes back: what any language can do. */
final class RawControl {
  private RawControl() {}

  static String ask(Path socket, String line) throws IOException {
    try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
        var replies = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8))) {
      ByteBuffer bytes = ByteBuffer.wrap((line + "\n").getBytes(StandardCharsets.UTF_8));
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
      String reply = replies.readLine();
      if (reply == null) {
        throw new IOException("the engine hung up on " + line);
      }
      return reply;
    }
  }
}
