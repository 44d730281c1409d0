package blksnap.sector;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class SectorRangeTest {
  private static final long LAST_SECTOR = Long.MAX_VALUE >>> SectorRange.SECTOR_SHIFT;

  @Test
  void endsWhereTheNextRangeBegins() {
    assertThat(new SectorRange(3, 5).end()).isEqualTo(8);
  }

  @Test
  void becomesBytesOfThe512ByteSectors() {
    assertThat(new SectorRange(3, 5).bytes()).isEqualTo(new ByteRange(1536, 2560));
  }

  @Test
  void printsAsTheCommandLineTakesIt() {
    assertThat(new SectorRange(3, 5)).hasToString("3:5");
  }

  @Test
  void refusesANegativeStart() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new SectorRange(-1, 1))
        .withMessageContaining("-1");
  }

  @Test
  void refusesToBeEmpty() {
    assertThatIllegalArgumentException().isThrownBy(() -> new SectorRange(0, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> new SectorRange(0, -1));
  }

  @Test
  void holdsTheLargestRangeWhoseBytesFitALong() {
    assertThat(new SectorRange(0, LAST_SECTOR).bytes().end()).isEqualTo(LAST_SECTOR << 9);
    assertThat(new SectorRange(LAST_SECTOR - 1, 1).bytes().end()).isEqualTo(LAST_SECTOR << 9);
  }

  @Test
  void refusesARangeWhoseBytesDoNotFitALong() {
    assertThatIllegalArgumentException().isThrownBy(() -> new SectorRange(0, LAST_SECTOR + 1));
    assertThatIllegalArgumentException().isThrownBy(() -> new SectorRange(LAST_SECTOR, 1));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new SectorRange(Long.MAX_VALUE, Long.MAX_VALUE));
  }
}
