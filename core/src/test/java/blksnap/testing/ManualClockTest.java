package blksnap.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class ManualClockTest {
  @Test
  void movesBothClocksByWhatItIsTold() {
    var clock = new ManualClock(Instant.EPOCH);
    long before = clock.getAsLong();
    clock.advance(Duration.ofMillis(5));
    assertThat(clock.instant()).isEqualTo(Instant.ofEpochMilli(5));
    assertThat(clock.getAsLong() - before).isEqualTo(5_000_000);
  }
}
