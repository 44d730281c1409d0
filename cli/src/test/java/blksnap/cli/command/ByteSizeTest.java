package blksnap.cli.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

final class ByteSizeTest {
  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "4096, 4096",
    "512b, 512",
    "8s, 4096",
    "8S, 4096",
    "1k, 1024",
    "4K, 4096",
    "512M, 536870912",
    "10G, 10737418240",
    "10GiB, 10737418240",
    "10gb, 10737418240",
    "2T, 2199023255552",
    "1P, 1125899906842624",
    "9223372036854775807, 9223372036854775807",
    "18014398509481983s, 9223372036854775296"
  })
  void readsBytesUnitsAndSectors(String text, long bytes) {
    assertThat(ByteSize.parse(text)).isEqualTo(new ByteSize(bytes));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "G", "-1", "1.5G", "10X", "1 G", "0x10", "10GG", "10sb", "+1"})
  void refusesWhatIsNoSize(String text) {
    assertThatThrownBy(() -> ByteSize.parse(text))
        .isInstanceOf(TypeConversionException.class)
        .hasMessage(
            "'"
                + text
                + "' is not a size: write bytes, or a number with K, M, G, T or s (sectors)");
  }

  @ParameterizedTest
  @ValueSource(strings = {"9223372036854775808", "8192P", "18014398509481984s", "99999999999G"})
  void refusesWhatDoesNotFit(String text) {
    assertThatThrownBy(() -> ByteSize.parse(text))
        .isInstanceOf(TypeConversionException.class)
        .hasMessage("'" + text + "' is 2^63 bytes or more");
  }
}
