package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Serving NBD in more places than one. */
@Timeout(180)
final class ListenIT {
  private static final int SIZE = 1 << 20;

  @TempDir private Path directory;

  private Lab lab;

  @BeforeEach
  void prepare() {
    lab = new Lab(directory);
  }

  @AfterEach
  void end() {
    lab.close();
  }

  private void attach() throws IOException {
    lab.ok("attach", lab.disk("vm1.img", SIZE).toString(), "--name", "vm1");
  }

  private void assertServes(Path socket) throws IOException {
    try (NbdSession session = NbdSession.open(socket, "vm1")) {
      assertThat(session.read(0, Lab.BLOCK)).hasSize(Lab.BLOCK);
    }
  }

  @Test
  void servesOnEverySocketItIsToldToAndTakesADeadOnesPlace() throws Exception {
    Path more = lab.path("more.sock");
    String[] places = {"--listen", "unix:" + more, "--listen", "tcp:127.0.0.1:0"};
    lab.load(places);
    attach();
    assertServes(lab.nbdSocket());
    assertServes(more);
    assertThat(lab.ok("cat", "/sys/class/blksnap/nbd_tcp")).startsWith("127.0.0.1:");
    lab.kill();
    assertThat(more).exists();
    lab.load(places);
    assertServes(more);
    lab.detachWhenUnused("vm1");
    lab.unload();
    assertThat(more).doesNotExist();
  }

  @Test
  void refusesPlacesThatNeedTls() throws Exception {
    try (Background load = lab.launch("--listen", "tcp:0.0.0.0:0")) {
      assertThat(load.await()).isEqualTo(1);
      assertThat(load.output()).contains("TLS is not required").contains("EINVAL");
    }
    try (Background load = lab.launch("--listen", "nowhere")) {
      assertThat(load.await()).isEqualTo(2);
      assertThat(load.output()).contains("neither unix:PATH nor tcp:HOST:PORT");
    }
  }

  @Test
  void takesOverTheSocketsThatTheServiceManagerOpened() throws Exception {
    Lab.need("systemd-socket-activate");
    Path socket = lab.path("activated.sock");
    var command = new ArrayList<>(List.of("systemd-socket-activate", "-l", socket.toString()));
    lab.variables().forEach((name, value) -> command.addAll(List.of("-E", name + "=" + value)));
    command.addAll(List.of(Lab.launcher(), "load", "--foreground"));
    try (Background engine = lab.start(lab.variables(), command.toArray(String[]::new))) {
      Lab.until("the service manager listens", () -> Files.exists(socket));
      try (SocketChannel first = SocketChannel.open(StandardProtocolFamily.UNIX)) {
        Lab.until("it takes a connection", () -> connected(first, socket)); // which starts it
        Lab.until("the engine serves", () -> lab.isServedBy(engine.pid()));
      }
      attach();
      assertServes(socket);
      lab.detachWhenUnused("vm1");
      lab.ok("unload");
      assertThat(engine.await()).isZero();
    }
  }

  private static boolean connected(SocketChannel channel, Path socket) {
    try {
      return channel.isConnected() || channel.connect(UnixDomainSocketAddress.of(socket));
    } catch (IOException _) {
      return false; // bound, and not listening yet
    }
  }
}
