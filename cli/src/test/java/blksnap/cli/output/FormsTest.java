package blksnap.cli.output;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.error.Errno;
import blksnap.status.StatusNode;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The small forms that the printers are made of. */
final class FormsTest {
  @ParameterizedTest
  @CsvSource({
    "0, 0B",
    "1, 1B",
    "512, 512B",
    "1023, 1023B",
    "1024, 1K",
    "1536, 1.5K",
    "4096, 4K",
    "1048575, 1M",
    "1048576, 1M",
    "10737418240, 10G",
    "1610612736, 1.5G",
    "1099511627776, 1T",
    "9223372036854775807, 8E"
  })
  void writesSizesForPeople(long bytes, String text) {
    assertThat(HumanSize.of(bytes)).isEqualTo(text);
  }

  @Test
  void refusesANegativeSize() {
    assertThatThrownBy(() -> HumanSize.of(-1)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void drawsTreesInAsciiWhereTheLocaleHasNothingElse() {
    var text = new StringWriter();
    var inner =
        new StatusNode.Directory("b", List.of(new StatusNode.Attribute("longer", "2", false)));
    new TablePrinter(new PrintWriter(text), new Palette(false), false)
        .tree(
            "/a",
            new StatusNode.Directory(
                "a", List.of(new StatusNode.Attribute("x", "1", false), inner, inner)));
    assertThat(text.toString())
        .isEqualTo(
            """
            /a
            |-- x  1
            |-- b
            |   `-- longer  2
            `-- b
                `-- longer  2
            """);
  }

  @Test
  void alignsATableWithoutBlanksAtTheEndsOfLines() {
    var text = new StringWriter();
    var table = new TextTable().left("NAME").right("SIZE").left("PATH");
    table.row("a", "1", "/x");
    table.row("lönger", "12345", "");
    table.print(new PrintWriter(text), new Palette(false));
    assertThat(text.toString())
        .isEqualTo(
            """
            NAME     SIZE  PATH
            a           1  /x
            lönger  12345
            """);
  }

  @Test
  void readsAFailureThatItWroteAsJson() {
    var failure = new Failure(Errno.EEXIST, "an engine is live", "unload it");
    assertThat(Failure.parse(failure.toJson().toString())).isEqualTo(Optional.of(failure));
    var bare = new Failure(Errno.EIO, "broken", "");
    assertThat(Failure.parse(bare.toJson().toString())).isEqualTo(Optional.of(bare));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "ready", "{", "[]", "null", "{\"error\":1}", "{\"error\":{\"number\":[]}}"})
  void readsNoFailureFromSomethingElse(String line) {
    assertThat(Failure.parse(line)).isEmpty();
  }
}
