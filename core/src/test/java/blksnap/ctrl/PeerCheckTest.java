package blksnap.ctrl;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.attribute.UserPrincipal;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class PeerCheckTest {
  private record User(String name) implements UserPrincipal {
    @Override
    public String getName() {
      return name;
    }
  }

  @ParameterizedTest
  @CsvSource({
    "alice, alice, true",
    "bob, alice, false",
    "root, alice, true",
    "0, alice, true",
    "root, root, true",
    "alice, root, false",
    "nobody, root, false",
    "1000, 1001, false",
    "1000, 1000, true"
  })
  void letsOnlyTheOwnUserAndRootTalk(String peer, String own, boolean allowed) {
    assertThat(PeerCheck.mayTalk(new User(peer), new User(own))).isEqualTo(allowed);
  }
}
