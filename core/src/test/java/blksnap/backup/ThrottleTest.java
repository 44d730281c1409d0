package blksnap.backup;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class ThrottleTest {
  private static final long SECOND = 1_000_000_000;

  @Test
  void givesEachReadATimeOfItsOwnAndSavesNoneUp() {
    var clock = new AtomicLong(5 * SECOND);
    var throttle = new Throttle(OptionalLong.of(1000), clock::get, () -> false);
    assertThat(throttle.reserve(500)).isEqualTo(5 * SECOND);
    assertThat(throttle.reserve(2000)).isEqualTo(5 * SECOND + SECOND / 2);
    assertThat(throttle.reserve(1)).isEqualTo(7 * SECOND + SECOND / 2);
    clock.set(100 * SECOND);
    assertThat(throttle.reserve(1000)).isEqualTo(100 * SECOND);
    assertThat(throttle.reserve(1000)).isEqualTo(101 * SECOND);
  }
}
