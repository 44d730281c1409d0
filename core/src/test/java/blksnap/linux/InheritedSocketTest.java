package blksnap.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.NetworkChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class InheritedSocketTest {
  private static final MethodHandle DUP =
      Native.function("dup", FunctionDescriptor.of(JAVA_INT, JAVA_INT));

  @TempDir private Path directory;

  private static int copyOf(NetworkChannel channel) throws BlkSnapException {
    int descriptor = Peer.descriptorOf(channel);
    return (int) Native.repeat(state -> (int) DUP.invokeExact(state, descriptor));
  }

  private static void assertTalks(ServerSocketChannel server, SocketAddress address)
      throws IOException {
    try (SocketChannel client = SocketChannel.open(address);
        SocketChannel accepted = server.accept()) {
      client.write(ByteBuffer.wrap(new byte[] {42}));
      ByteBuffer got = ByteBuffer.allocate(1);
      assertThat(accepted.read(got)).isEqualTo(1);
      assertThat(got.get(0)).isEqualTo((byte) 42);
    }
  }

  @Test
  void acceptsFromATcpSocketThatAnotherOpened() throws IOException {
    int descriptor;
    InetSocketAddress address;
    try (ServerSocketChannel theirs = ServerSocketChannel.open()) {
      theirs.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
      address = (InetSocketAddress) theirs.getLocalAddress();
      descriptor = copyOf(theirs);
    }
    InheritedSocket adopted = InheritedSocket.adopt(descriptor);
    try (ServerSocketChannel server = adopted.channel()) {
      assertThat(adopted.tcp()).contains(address);
      assertTalks(server, address);
    }
    assertThatExceptionOfType(IOException.class)
        .isThrownBy(() -> SocketChannel.open(address).close());
  }

  @Test
  void acceptsFromAUnixSocketThatAnotherOpened() throws IOException {
    int descriptor;
    var address = UnixDomainSocketAddress.of(directory.resolve("s"));
    try (ServerSocketChannel theirs = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      theirs.bind(address);
      descriptor = copyOf(theirs);
    }
    InheritedSocket adopted = InheritedSocket.adopt(descriptor);
    try (ServerSocketChannel server = adopted.channel()) {
      assertThat(adopted.tcp()).isEmpty();
      assertTalks(server, address);
    }
  }

  @Test
  void refusesADescriptorThatDoesNotListen() throws IOException {
    try (SocketChannel plain = SocketChannel.open()) {
      int descriptor = copyOf(plain);
      assertRefused(descriptor);
    }
    assertRefused(1_000_000);
  }

  private static void assertRefused(int descriptor) {
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(() -> InheritedSocket.adopt(descriptor))
        .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL));
  }

  @Test
  void findsTheDescriptorsThatAreLeftToThisProcess() throws BlkSnapException {
    assertThat(InheritedSocket.descriptors(Map.of("LISTEN_PID", "7", "LISTEN_FDS", "2"), 7))
        .containsExactly(3, 4);
    assertThat(InheritedSocket.descriptors(Map.of("LISTEN_PID", "8", "LISTEN_FDS", "2"), 7))
        .isEmpty();
    assertThat(InheritedSocket.descriptors(Map.of("LISTEN_FDS", "2"), 7)).isEmpty();
    assertThat(InheritedSocket.descriptors(Map.of(), 7)).isEmpty();
    for (String count : new String[] {"-1", "257", "many", ""}) {
      assertThatExceptionOfType(BlkSnapException.class)
          .isThrownBy(
              () -> InheritedSocket.descriptors(Map.of("LISTEN_PID", "7", "LISTEN_FDS", count), 7))
          .withMessageContaining("LISTEN_FDS");
    }
  }
}
