package blksnap.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SocketProbeTest {
  @TempDir Path directory;

  @Test
  void tellsWhetherAReadWouldReturnAtOnce() throws IOException {
    var address = UnixDomainSocketAddress.of(directory.resolve("s"));
    try (var server = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(address);
        var client = SocketChannel.open(address);
        SocketChannel ours = server.accept()) {
      SocketProbe probe = SocketProbe.of(ours).orElseThrow();
      assertThat(probe.readable()).isFalse();
      client.write(ByteBuffer.wrap(new byte[] {1}));
      assertThat(probe.readable()).isTrue();
      ours.read(ByteBuffer.allocate(1));
      SocketProbe.yieldProcessor();
      assertThat(probe.readable()).isFalse();
      client.shutdownOutput();
      assertThat(probe.readable()).as("the end is to be read").isTrue();
    }
  }
}
