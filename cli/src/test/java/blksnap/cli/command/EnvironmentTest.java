package blksnap.cli.command;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.testing.Environments;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class EnvironmentTest {
  @ParameterizedTest
  @CsvSource({
    "LANG, de_DE.UTF-8, true",
    "LANG, C.utf8, true",
    "LANG, C, false",
    "LC_CTYPE, en_US.UTF-8, true",
    "LC_ALL, POSIX, false"
  })
  void knowsAUtf8LocaleByItsName(String variable, String value, boolean utf8) {
    assertThat(Environments.bare(1, false).with(variable, value).isUtf8()).isEqualTo(utf8);
  }

  @Test
  void takesAnUnknownLocaleForAscii() {
    assertThat(Environments.bare(1, false).isUtf8()).isFalse();
  }

  @Test
  void letsLcAllOverruleLang() {
    assertThat(Environments.user().with("LC_ALL", "C").isUtf8()).isFalse();
  }

  @Test
  void coloursByDefaultOnlyOnATerminalThatIsNotDumbAndWithoutNoColor() {
    var terminal = Environments.bare(1, true).with("TERM", "xterm");
    assertThat(ColorMode.AUTO.enabled(terminal, true)).isTrue();
    assertThat(ColorMode.AUTO.enabled(terminal, false)).isFalse();
    assertThat(ColorMode.AUTO.enabled(terminal.with("TERM", "dumb"), true)).isFalse();
    assertThat(ColorMode.AUTO.enabled(terminal.with("NO_COLOR", "1"), true)).isFalse();
    assertThat(ColorMode.AUTO.enabled(Environments.bare(1, true), true)).isFalse();
  }

  @Test
  void obeysAnOrderToColourOrNot() {
    var terminal = Environments.bare(1, true).with("TERM", "xterm");
    assertThat(ColorMode.NEVER.enabled(terminal, true)).isFalse();
    assertThat(ColorMode.ALWAYS.enabled(terminal.with("NO_COLOR", "1"), false)).isTrue();
  }

  @Test
  void resolvesPlacesInTheStatusTreeLikeAFileSystem() {
    var place = new TreePath("/sys/block");
    assertThat(place.resolve("vm1").text()).isEqualTo("/sys/block/vm1");
    assertThat(place.resolve("../fs/./x/").text()).isEqualTo("/sys/fs/x");
    assertThat(place.resolve("/a//b").text()).isEqualTo("/a/b");
    assertThat(place.resolve("../../../..")).isEqualTo(TreePath.ROOT);
    assertThat(place.resolve("").text()).isEqualTo("/sys/block");
  }
}
