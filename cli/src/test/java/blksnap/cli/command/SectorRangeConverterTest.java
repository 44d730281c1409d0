package blksnap.cli.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.sector.SectorRange;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine.TypeConversionException;

final class SectorRangeConverterTest {
  private final SectorRangeConverter converter = new SectorRangeConverter();

  @ParameterizedTest
  @CsvSource({
    "0:8, 0, 8",
    "2048:1M, 2048, 2048",
    "1G:4K, 2097152, 8",
    "8s:16s, 8, 16",
    "512b:1kib, 1, 2"
  })
  void readsSectorsAndSizesWithUnits(String text, long first, long count) {
    assertThat(converter.convert(text)).isEqualTo(new SectorRange(first, count));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      textBlock =
          """
          5       | '5' is not of the form SECTOR:COUNT
          1:2:3   | '1:2:3' is not of the form SECTOR:COUNT
          -1:2    | '-1:2' is not of the form SECTOR:COUNT
          0:100b  | '100b' is not a multiple of 512 bytes
          0:5X    | '5X' is not a size: write bytes, or a number with K, M, G, T or s (sectors)
          0:99999999999999999999 | '0:99999999999999999999' ends beyond 2^63 bytes
          0:0     | '0:0': sector count 0 is not positive
          """)
  void refusesWhatIsNeither(String text, String sentence) {
    assertThatThrownBy(() -> converter.convert(text))
        .isInstanceOf(TypeConversionException.class)
        .hasMessage(sentence);
  }
}
