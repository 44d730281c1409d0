package blksnap.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.engine.NbdOptions.Tls;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.nbd.NbdPlace;
import blksnap.nbd.NbdTls;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class NbdOptionsTest {
  private static final Optional<Path> FILES = Optional.of(Path.of("/etc/pki"));

  private static NbdOptions listen(String... places) throws BlkSnapException {
    return NbdOptions.of(List.of(places), List.of(), Tls.OFF, Optional.empty(), List.of());
  }

  private static NbdPlace tcp(String host, int port) {
    return new NbdPlace.Tcp(new InetSocketAddress(InetAddress.ofLiteral(host), port));
  }

  private static NbdOptions allow(String... clients) throws BlkSnapException {
    return NbdOptions.of(List.of(), List.of(), Tls.ON, FILES, List.of(clients));
  }

  @Test
  void takesPlacesApart() throws BlkSnapException {
    assertThat(listen("unix:/a:b/c", "tcp:127.0.0.1:99", "tcp:127.0.0.1", "tcp:[::1]:7").places())
        .containsExactly(
            new NbdPlace.Unix(Path.of("/a:b/c")),
            tcp("127.0.0.1", 99),
            tcp("127.0.0.1", 10_809),
            tcp("::1", 7));
    assertThat(listen("tcp:[::1]").places()).containsExactly(tcp("::1", 10_809));
  }

  @Test
  void refusesWhatIsNoPlace() {
    for (String place :
        new String[] {
          "",
          "unix:",
          "/a/b",
          "tcp:",
          "tcp::99",
          "tcp:127.0.0.1:",
          "tcp:127.0.0.1:x",
          "tcp:127.0.0.1:65536",
          "tcp:127.0.0.1:-1",
          "tcp:::1:7",
          "udp:127.0.0.1:7"
        }) {
      assertThatExceptionOfType(BlkSnapException.class)
          .as(place)
          .isThrownBy(() -> listen(place))
          .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL));
    }
  }

  @Test
  void takesApartWhoMayUseWhat() throws BlkSnapException {
    assertThat(allow("backup=*@*:ro,vm1", "*=public").tls().grants())
        .containsExactly(
            new NbdTls.Grant("backup", "*@*", true),
            new NbdTls.Grant("backup", "vm1", false),
            new NbdTls.Grant("*", "public", false));
  }

  @Test
  void refusesWhoMayUseNothing() {
    for (String client : new String[] {"", "backup", "backup=", "=vm1", "backup=:ro", "b=a,,c"}) {
      assertThatExceptionOfType(BlkSnapException.class)
          .as(client)
          .isThrownBy(() -> allow(client))
          .withMessageContaining("CLIENT=EXPORT");
    }
  }

  @Test
  void needsCertificatesForTlsAndTlsForCertificates() {
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(
            () -> NbdOptions.of(List.of(), List.of(), Tls.REQUIRED, Optional.empty(), List.of()))
        .withMessageContaining("directory of certificates");
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(() -> NbdOptions.of(List.of(), List.of(), Tls.OFF, FILES, List.of()))
        .withMessageContaining("need TLS");
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(
            () -> NbdOptions.of(List.of(), List.of(), Tls.OFF, Optional.empty(), List.of("a=b")))
        .withMessageContaining("need TLS");
  }
}
