package blksnap.sector;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class ByteRangeTest {
  @Test
  void endsWhereTheNextRangeBegins() {
    assertThat(new ByteRange(10, 20).end()).isEqualTo(30);
  }

  @Test
  void intersectsWhatSharesAByteWithIt() {
    var range = new ByteRange(10, 10);
    assertThat(range.intersects(new ByteRange(19, 1))).isTrue();
    assertThat(range.intersects(new ByteRange(0, 11))).isTrue();
    assertThat(range.intersects(new ByteRange(12, 2))).isTrue();
    assertThat(range.intersects(new ByteRange(0, 100))).isTrue();
  }

  @Test
  void doesNotIntersectItsNeighbours() {
    var range = new ByteRange(10, 10);
    assertThat(range.intersects(new ByteRange(0, 10))).isFalse();
    assertThat(range.intersects(new ByteRange(20, 1))).isFalse();
  }

  @Test
  void refusesANegativeOffsetAndAnEmptyLength() {
    assertThatIllegalArgumentException().isThrownBy(() -> new ByteRange(-1, 1));
    assertThatIllegalArgumentException().isThrownBy(() -> new ByteRange(0, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> new ByteRange(0, -5));
  }

  @Test
  void refusesAnEndBeyondALong() {
    assertThat(new ByteRange(Long.MAX_VALUE - 1, 1).end()).isEqualTo(Long.MAX_VALUE);
    assertThatExceptionOfType(ArithmeticException.class)
        .isThrownBy(() -> new ByteRange(Long.MAX_VALUE, 1));
  }
}
