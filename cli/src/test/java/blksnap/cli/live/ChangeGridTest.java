package blksnap.cli.live;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.output.Palette;
import java.util.BitSet;
import java.util.OptionalInt;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.xml.sax.InputSource;

/** A change map as a grid. */
final class ChangeGridTest {
  private static final byte[] MAP = {0, 7, 7, 7, 7, 0, 6, 0, 0, 0, 4, 1};

  @Test
  void showsHowMuchOfACellChangedAndHowLately() {
    assertThat(new GridText(grid(6), new Palette(false), true).lines(4))
        .containsExactly(
            "      0B ▒█▒▃",
            "     32K ·▇",
            "",
            "v<1: 45K, a sign is about 8K; · unchanged, then up to 25, 50, 75 and 100 % of it",
            "  ░▒▓█  since the last take                   16K",
            "  ▁▃▅▇  in the interval before the last take  4K",
            "  ▁▃▅▇  in the two intervals before           4K",
            "  ▁▃▅▇  before that                           1K",
            "        changed in all                        25K (55.6 %)");
  }

  @Test
  void drawsInAsciiAndInColourToo() {
    assertThat(new GridText(grid(6), new Palette(false), false).lines(6).getFirst())
        .isEqualTo("      0B =%#=:.O".replace("=%#=:.O", "=#=:.O"));
    assertThat(new GridText(grid(6), new Palette(true), false).lines(6).getFirst())
        .isEqualTo(
            "      0B \u001b[1;31m=\u001b[0m\u001b[1;31m#\u001b[0m\u001b[1;31m=\u001b[0m"
                + "\u001b[33m:\u001b[0m.\u001b[1;34mO\u001b[0m");
  }

  @Test
  void hasNoMoreCellsThanBlocks() {
    ChangeGrid grid = grid(1_000);
    assertThat(grid.cells()).hasSize(MAP.length);
    assertThat(grid.cells().getLast())
        .isEqualTo(new ChangeGrid.Cell(45_056, 1_024, 1_024, OptionalInt.of(6)));
  }

  @Test
  void countsOnlyTheBlocksThatAreWanted() {
    var wanted = new BitSet();
    wanted.set(6);
    wanted.set(8); // which did not change
    ChangeGrid grid = ChangeGrid.of("vm1", 4_096, 46_080, MAP, wanted, 7, 3);
    assertThat(grid.changedBytes()).isEqualTo(4_096);
    assertThat(grid.bytes(ChangeGrid.Age.RECENT)).isEqualTo(4_096);
  }

  @Test
  void drawsAPictureThatIsXml() throws Exception {
    String svg = GridSvg.of(grid(6), 4);
    var document =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .parse(new InputSource(new java.io.StringReader(svg)));
    assertThat(document.getDocumentElement().getTagName()).isEqualTo("svg");
    assertThat(document.getElementsByTagName("rect").getLength()).isEqualTo(1 + 6 + 4);
    assertThat(svg).contains("v&lt;1").contains("fill=\"#c81e1e\" fill-opacity=\"0.50\"");
  }

  private static ChangeGrid grid(int cells) {
    var all = new BitSet();
    all.set(0, MAP.length);
    return ChangeGrid.of("v<1", 4_096, 46_080, MAP, all, 7, cells);
  }
}
