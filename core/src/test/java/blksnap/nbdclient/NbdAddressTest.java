package blksnap.nbdclient;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.error.Errno;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.UnixDomainSocketAddress;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NbdAddressTest {
  @Test
  void readsUnixSocketsWithEscapes() throws IOException {
    assertThat(NbdAddress.parse("nbd+unix:///vm1@monday?socket=/run/a%20b/nbd.sock"))
        .isEqualTo(new NbdAddress(UnixDomainSocketAddress.of("/run/a b/nbd.sock"), "vm1@monday"));
  }

  @Test
  void readsHostsWithAndWithoutPorts() throws IOException {
    assertThat(NbdAddress.parse("nbd://localhost:10810/a/b"))
        .isEqualTo(new NbdAddress(new InetSocketAddress("localhost", 10810), "a/b"));
    assertThat(NbdAddress.parse("nbd://localhost"))
        .isEqualTo(new NbdAddress(new InetSocketAddress("localhost", 10809), ""));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "nbd+unix:///vm1",
        "nbd://localhost:x/vm1",
        "http://localhost/",
        "/vm1",
        "nbd+unix:///a?s=/b"
      })
  void refusesWhatNamesNoExport(String uri) {
    refused(Errno.EINVAL, () -> NbdAddress.parse(uri), "'" + uri + "' names no NBD export");
  }
}
