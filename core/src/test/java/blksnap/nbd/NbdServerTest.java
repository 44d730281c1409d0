package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.buffer.BufferPool;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import blksnap.testing.MemoryDevice;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class NbdServerTest {
  @TempDir private Path directory;

  /** Only for its table of exports. */
  private NbdTestServer exports;

  private final BufferPool pool = new BufferPool(64L << 20, () -> 4);

  @BeforeEach
  void table() throws IOException {
    exports = NbdTestServer.of(MemoryDevice.ofSize(1 << 20));
  }

  @AfterEach
  void close() throws IOException {
    exports.close();
  }

  private NbdServer start(Optional<Path> socket, Optional<InetSocketAddress> tcp)
      throws IOException {
    return NbdServer.start(
        new NbdConfig(socket, tcp, NbdLimits.DEFAULT), exports, pool, new LogRing());
  }

  private NbdServer unix(Path socket) throws IOException {
    return start(Optional.of(socket), Optional.empty());
  }

  private NbdServer tcp(String address, int port) throws IOException {
    return start(Optional.empty(), Optional.of(new InetSocketAddress(address, port)));
  }

  private static void assertRefused(ThrowingCallable start, Errno errno) {
    assertThatThrownBy(start)
        .isInstanceOfSatisfying(
            BlkSnapException.class, e -> assertThat(e.errno()).isEqualTo(errno));
  }

  private Path socket() {
    return directory.resolve("nbd.sock");
  }

  private long files() throws IOException {
    try (var files = Files.list(directory)) {
      return files.count();
    }
  }

  @Test
  void makesASocketThatOnlyItsOwnerMayUse() throws IOException {
    try (NbdServer server = unix(socket())) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket())))
          .isEqualTo("rw-------");
      assertThat(files()).isEqualTo(1);
      assertThat(server.tcpAddress()).isEmpty();
    }
    assertThat(files()).isZero();
  }

  @Test
  void leavesAFileThatIsInItsWayAlone() throws IOException {
    Files.writeString(socket(), "precious");
    assertRefused(() -> unix(socket()), Errno.EADDRINUSE);
    assertThat(socket()).hasContent("precious");
    assertThat(files()).isEqualTo(1);
  }

  @Test
  void refusesASecondServerOnTheSameSocket() throws IOException {
    try (NbdServer first = unix(socket())) {
      assertRefused(() -> unix(socket()), Errno.EADDRINUSE);
      try (NbdTestClient client = NbdTestClient.connect(socket()).simple("disk")) {
        assertThat(client.read(0, 1)).containsExactly(0);
      }
      assertThat(first.counters().connections()).isEqualTo(1);
    }
  }

  @Test
  void removesOnlyTheSocketItMade() throws IOException {
    NbdServer server = unix(socket());
    Files.delete(socket());
    Files.writeString(socket(), "another's");
    server.close();
    assertThat(socket()).hasContent("another's");
  }

  @Test
  void saysWhatIsWrongWithASocketPath() {
    assertRefused(() -> unix(directory.resolve("missing/nbd.sock")), Errno.ENOENT);
    assertRefused(() -> unix(directory.resolve("n".repeat(120))), Errno.ENAMETOOLONG);
  }

  @Test
  void cleansUpAfterOneThatDiedWhileItStarted() throws IOException {
    Path hidden = Files.createDirectory(directory.resolve(".nbd.sock"));
    Files.writeString(hidden.resolve("s"), "");
    try (NbdServer server = unix(socket())) {
      assertThat(server.clients()).isEmpty();
      assertThat(files()).isEqualTo(1);
    }
  }

  @Test
  void servesTcpOnAFreePortOfLoopback() throws IOException {
    try (NbdServer server = tcp("127.0.0.1", 0)) {
      InetSocketAddress address = server.tcpAddress().orElseThrow();
      assertThat(address.getPort()).isPositive();
      try (NbdTestClient client = NbdTestClient.connect(address).simple("disk")) {
        assertThat(client.read(0, 1)).containsExactly(0);
        assertThat(server.clients().getFirst().peer()).startsWith("127.0.0.1 port ");
      }
    }
  }

  @Test
  void servesUnixAndTcpAtOnce() throws IOException {
    var loopback = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    try (NbdServer server = start(Optional.of(socket()), Optional.of(loopback));
        NbdTestClient one = NbdTestClient.connect(socket()).simple("disk");
        NbdTestClient two =
            NbdTestClient.connect(server.tcpAddress().orElseThrow()).simple("disk")) {
      assertThat(one.write(0, new byte[] {1, 2})).isZero();
      assertThat(two.read(0, 2)).containsExactly(1, 2);
    }
  }

  @Test
  void refusesToListenBeyondLoopback() {
    for (String address : new String[] {"0.0.0.0", "::", "127.0.0.2", "192.0.2.1"}) {
      assertRefused(() -> tcp(address, 0), Errno.EINVAL);
    }
    var unresolved = InetSocketAddress.createUnresolved("localhost", 0);
    assertRefused(() -> start(Optional.empty(), Optional.of(unresolved)), Errno.EINVAL);
  }

  @Test
  void leavesNothingBehindWhenTheSecondSocketCannotBeHad() throws IOException {
    try (var taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      var address = (InetSocketAddress) taken.getLocalSocketAddress();
      assertRefused(() -> start(Optional.of(socket()), Optional.of(address)), Errno.EADDRINUSE);
    }
    assertThat(files()).isZero();
  }

  @Test
  void mayBeClosedTwice() throws IOException {
    NbdServer server = unix(socket());
    server.close();
    server.close();
    assertThat(files()).isZero();
  }
}
