package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class NbdTextTest {
  @Test
  void cutsBetweenTwoCharacters() {
    String text = "aé€😀"; // 1, 2, 3 and 4 bytes
    String[] kept = {"", "a", "a", "aé", "aé", "aé", "aé€", "aé€", "aé€", "aé€", "aé€😀"};
    for (int most = 0; most <= 10; most++) {
      assertThat(new String(NbdText.encode(text, most), StandardCharsets.UTF_8))
          .isEqualTo(kept[most]);
    }
  }
}
