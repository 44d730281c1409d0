package blksnap.diffstorage;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class FillRateTest {
  private static final long SECOND = TimeUnit.SECONDS.toNanos(1);

  private final FillRate rate = new FillRate();

  /** An odd start: a monotonic clock may well be negative. */
  private long now = -3 * SECOND;

  private void pass(int seconds) {
    now += seconds * SECOND;
  }

  private void take(long bytes) {
    rate.add(bytes, now);
  }

  @Test
  void knowsNothingBeforeAnythingIsTakenAndUntilItWasWatchedForAWhile() {
    assertThat(rate.secondsUntil(1_000, now)).isEmpty();
    take(100);
    pass(FillRate.SLOT_SECONDS - 1);
    assertThat(rate.secondsUntil(1_000, now)).isEmpty();
    pass(1);
    assertThat(rate.secondsUntil(1_000, now)).hasValue(100);
  }

  @Test
  void tellsHowLongItGoesOnAtASteadyRate() {
    for (int i = 0; i < 1_000; i++) {
      take(50);
      pass(1);
    }
    assertThat(rate.secondsUntil(6_000, now).orElseThrow()).isBetween(115L, 125L);
  }

  @Test
  void followsAChangeWithinItsWindow() {
    for (int i = 0; i < FillRate.WINDOW_SECONDS; i++) {
      take(10_000);
      pass(1);
    }
    for (int i = 0; i < FillRate.WINDOW_SECONDS; i++) {
      take(10);
      pass(1);
    }
    assertThat(rate.secondsUntil(1_000, now).orElseThrow()).isBetween(95L, 105L);
  }

  @Test
  void forgetsWhatWasTakenLongAgo() {
    take(1_000_000);
    pass(FillRate.WINDOW_SECONDS);
    assertThat(rate.secondsUntil(1, now)).isEmpty();
    take(100);
    pass(FillRate.SLOT_SECONDS);
    assertThat(rate.secondsUntil(1_000, now)).hasValue(100);
  }

  @Test
  void aStorageThatIsFullIsFullNow() {
    take(1);
    pass(60);
    assertThat(rate.secondsUntil(0, now)).hasValue(0);
  }
}
