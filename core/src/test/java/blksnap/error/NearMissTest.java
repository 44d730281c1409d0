package blksnap.error;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class NearMissTest {
  private static final List<String> WORDS =
      List.of("attach", "detach", "devices", "status", "snapshot.take", "dmesg");

  @ParameterizedTest
  @CsvSource({
    "atach, attach",
    "attahc, attach",
    "attachh, attach",
    "attack, attach",
    "DEVICES, devices",
    "snapshto.tkae, snapshot.take",
    "dev, devices",
    "snap, snapshot.take"
  })
  void findsTheWordThatWasMeant(String typed, String meant) {
    assertThat(NearMiss.of(typed, WORDS)).contains(meant);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "x", "mount", "de", "attachment-of-something-else"})
  void findsNothingWhenNothingIsAlike(String typed) {
    assertThat(NearMiss.of(typed, WORDS)).isEmpty();
  }

  @Test
  void findsNoShortWordThatHasNoLetterInCommon() {
    assertThat(NearMiss.of("x", List.of("y", "q"))).isEmpty();
    assertThat(NearMiss.of("x", List.of("y", "xy"))).contains("xy");
  }

  @Test
  void saysItAsAQuestion() {
    assertThat(NearMiss.hint("atach", WORDS)).contains("did you mean 'attach'?");
    assertThat(NearMiss.hint("mount", WORDS)).isEmpty();
  }

  @Test
  void leavesOutWordsThatAreTooLongToCompare() {
    String word = "x".repeat(NearMiss.MAX_WORD_CHARS);
    assertThat(NearMiss.of(word, List.of(word))).contains(word);
    assertThat(NearMiss.of(word + "x", List.of(word))).isEmpty();
    assertThat(NearMiss.of(word, List.of(word + "x"))).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"abc, abc, 0", "abc, acb, 1", "abc, ab, 1", "'', abc, 3", "kitten, sitting, 3"})
  void countsEdits(String from, String to, int edits) {
    assertThat(NearMiss.distance(from, to)).isEqualTo(edits);
    assertThat(NearMiss.distance(to, from)).isEqualTo(edits);
  }
}
