package blksnap.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class PeerTest {
  @TempDir private Path directory;

  private static Peer numbered(String name, long uid) {
    return new Peer(name, Optional.of(new Peer.Numbers(42, uid)));
  }

  @Test
  void knowsTheProcessAndTheUserThatConnected() throws IOException {
    var address = UnixDomainSocketAddress.of(directory.resolve("sock"));
    try (var listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listener.bind(address);
      try (var client = SocketChannel.open(address);
          SocketChannel accepted = listener.accept()) {
        Peer peer = Peer.of(accepted);
        assertThat(peer.name()).isEqualTo(System.getProperty("user.name"));
        assertThat(peer.numbers())
            .contains(new Peer.Numbers(ProcessHandle.current().pid(), Processes.effectiveUser()));
        assertThat(peer.mayUse("somebody else")).isTrue();
        assertThat(client.isConnected()).isTrue();
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1000, 1000, true",
    "1001, 1000, false",
    "0, 1000, true",
    "0, 0, true",
    "1000, 0, false",
    "4294967294, 4294967294, true",
    "4294967294, 0, false"
  })
  void letsTheUserWeActAsAndRootIn(long uid, long own, boolean allowed) {
    assertThat(numbered("whoever", uid).mayUse(own, "whoever")).isEqualTo(allowed);
  }

  @Test
  void isNotFooledByANameThatTwoUsersHave() {
    assertThat(numbered("root", 7).mayUse(1000, "root")).isFalse();
  }

  @ParameterizedTest
  @CsvSource({
    "alice, alice, true",
    "bob, alice, false",
    "root, alice, true",
    "0, alice, true",
    "nobody, root, false",
    "1000, 1001, false"
  })
  void goesByTheNameWhereNumbersAreNotKnown(String peer, String own, boolean allowed) {
    assertThat(new Peer(peer, Optional.empty()).mayUse(1, own)).isEqualTo(allowed);
  }

  @Test
  void isWrittenForPeopleWithItsNumbers() {
    assertThat(numbered("bob", 1001)).hasToString("user bob (uid 1001, pid 42)");
    assertThat(new Peer("bob", Optional.empty())).hasToString("user bob");
  }
}
