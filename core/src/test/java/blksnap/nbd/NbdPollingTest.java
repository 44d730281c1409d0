package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class NbdPollingTest {
  private static final long LOOK_NANOS = 500;

  private long now;
  private long arrival = Long.MAX_VALUE;
  private long yielded;
  private int looks;
  private final NbdPolling polling = new NbdPolling(this::look, () -> now += yielded, () -> now);

  private boolean look() {
    looks++;
    now += LOOK_NANOS;
    return now >= arrival;
  }

  /** The nanoseconds that one wait looked for a request that comes after so many. */
  private long lookFor(long nanos) {
    long start = now;
    arrival = start + nanos;
    polling.await();
    return now - start;
  }

  private int waitsUntilItLooksAgain() {
    for (int waits = 1; ; waits++) {
      looks = 0;
      polling.await();
      if (looks > 0) {
        return waits;
      }
    }
  }

  @Test
  void findsWhatComesSoon() {
    for (int i = 0; i < 1_000; i++) {
      assertThat(lookFor(30_000)).isBetween(30_000L, 30_000 + LOOK_NANOS);
    }
  }

  @Test
  void sleepsWhenNothingComes() {
    assertThat(lookFor(Long.MAX_VALUE / 2))
        .isBetween(NbdPolling.MOST_NANOS, NbdPolling.MOST_NANOS + LOOK_NANOS);
  }

  @Test
  void looksLessAndLessOftenForASlowClient() {
    long looked = 0;
    int waits = 100_000;
    for (int i = 0; i < waits; i++) {
      looked += lookFor(200_000);
      now += 200_000;
    }
    assertThat(looked / waits).isLessThan(100); // nanoseconds of each wait
  }

  @Test
  void goesOnWhereMostComeSoon() {
    long late = 0;
    for (int i = 0; i < 10_000; i++) {
      boolean soon = i % 4 != 0;
      if (lookFor(soon ? 20_000 : 200_000) < (soon ? 20_000 : NbdPolling.MOST_NANOS)) {
        late++; // did not look at all
      }
    }
    assertThat(late).isZero();
  }

  @Test
  void looksAgainWhenAClientBecameQuick() {
    for (int i = 0; i < 10_000; i++) {
      lookFor(200_000);
    }
    looks = 0;
    int found = 0;
    for (int i = 0; i < 100_000 && found < 1_000; i++) {
      found += lookFor(20_000) > 0 ? 1 : 0;
    }
    assertThat(found).isEqualTo(1_000);
  }

  @Test
  void leavesTheProcessorToOthersThatWantIt() {
    yielded = NbdPolling.BUSY_NANOS;
    lookFor(Long.MAX_VALUE / 2);
    assertThat(looks).isEqualTo(1);
    int first = waitsUntilItLooksAgain();
    assertThat(first).isGreaterThan(60);
    assertThat(waitsUntilItLooksAgain()).isGreaterThan(2 * first - 5);
  }

  @Test
  void findsWhatAYieldLetCome() {
    yielded = NbdPolling.BUSY_NANOS;
    lookFor(1_000);
    looks = 0;
    lookFor(1_000);
    assertThat(looks).isEqualTo(1);
  }
}
