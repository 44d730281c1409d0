package blksnap.state;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.error.Errno;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class SealedJsonTest {
  private static final byte[] SEALED =
      SealedJson.write(
          "thing", new Fields().put("name", "zweitens: äöü").put("number", Long.MAX_VALUE));

  private static byte[] changed(String from, String to) {
    String text = new String(SEALED, StandardCharsets.UTF_8);
    assertThat(text).contains(from);
    return text.replace(from, to).getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void readsBackWhatWasWritten() throws IOException {
    Fields read = SealedJson.read("thing", SEALED, "file");
    assertThat(read.text("name")).isEqualTo("zweitens: äöü");
    assertThat(read.number("number")).isEqualTo(Long.MAX_VALUE);
    assertThat(new String(SEALED, StandardCharsets.UTF_8)).endsWith("}\n").doesNotContain("\n{");
  }

  @Test
  void eachDamageHasItsOwnSentence() {
    refused(
        Errno.EBADMSG,
        () -> SealedJson.read("thing", changed("zweitens", "drittens"), "file"),
        "file has a bad checksum");
    refused(
        Errno.EBADMSG,
        () -> SealedJson.read("thing", changed("\"thing\"", "\"other\""), "file"),
        "file does not hold a thing");
    refused(
        Errno.EBADMSG,
        () -> SealedJson.read("thing", changed("{\"thing\"", "[\"thing\""), "file"),
        "file does not hold a JSON object");
  }
}
