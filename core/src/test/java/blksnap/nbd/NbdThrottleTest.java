package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import blksnap.nbd.NbdThrottle.Limits;
import blksnap.testing.MemoryDevice;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class NbdThrottleTest {
  private static final long SECOND = 1_000_000_000;
  private static final int READ = 0;

  /** How long the next of these waits, asked at one moment, one after the other. */
  private static long waitOfLast(NbdThrottle throttle, int requests, long bytes, long now) {
    long wait = 0;
    for (int i = 0; i < requests; i++) {
      wait = throttle.enter(bytes, now);
    }
    return wait;
  }

  @Test
  void holdsNobodyUpWithoutALimit() {
    var throttle = new NbdThrottle();
    assertThat(throttle.holds()).isFalse();
    assertThat(waitOfLast(throttle, 1000, 1 << 20, System.nanoTime())).isZero();
  }

  @Test
  void letsRequestsInAtTheirPaceAndATenthOfASecondAtOnce() {
    long now = System.nanoTime() + 10 * SECOND; // long after the limit began
    var throttle = new NbdThrottle();
    throttle.become(new Limits(100, 0));
    assertThat(throttle.holds()).isTrue();
    assertThat(waitOfLast(throttle, 11, 1 << 20, now)).isZero();
    assertThat(throttle.enter(1, now)).isEqualTo(SECOND / 100);
    assertThat(waitOfLast(throttle, 99, 1, now)).isEqualTo(SECOND);
    assertThat(throttle.enter(1, now + SECOND)).isEqualTo(SECOND / 100);
    assertThat(throttle.enter(1, now + 3 * SECOND)).isZero();
  }

  @Test
  void letsBytesInAtTheirPaceAndTheStricterLimitCounts() {
    long now = System.nanoTime() + 10 * SECOND;
    var throttle = new NbdThrottle();
    throttle.become(new Limits(1000, 1 << 20));
    assertThat(throttle.enter(1 << 20, now)).isZero();
    assertThat(throttle.enter(1 << 10, now)).isEqualTo(SECOND - SECOND / 10);
    long afterKib = SECOND - SECOND / 10 + SECOND / 1000; // a request costs more than its bytes
    assertThat(throttle.enter(0, now)).isBetween(afterKib - 5, afterKib + 5);
  }

  @Test
  void refusesLimitsThatMakeNoSense() {
    assertThatIllegalArgumentException().isThrownBy(() -> new Limits(-1, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> new Limits(0, -1));
    assertThatIllegalArgumentException().isThrownBy(() -> new Limits(0, 1));
  }

  @Test
  void paysTheClientsOfALimitedExportOnlyAsTheyMay() throws IOException {
    var throttle = new NbdThrottle();
    throttle.become(new Limits(20, 0));
    try (NbdTestServer server = NbdTestServer.of(MemoryDevice.ofSize(1 << 20))) {
      server.withThrottle(throttle);
      try (NbdTestClient one = server.connect().simple("disk");
          NbdTestClient two = server.connect().simple("disk")) {
        long start = System.nanoTime();
        for (int i = 0; i < 12; i++) {
          NbdTestClient client = i % 2 == 0 ? one : two;
          assertThat(client.read(0, 512)).hasSize(512);
        }
        // Two or three at once, then one each 50 ms; never less, however fast the machine is.
        assertThat(System.nanoTime() - start)
            .isGreaterThanOrEqualTo(TimeUnit.MILLISECONDS.toNanos(400));
      }
    }
  }

  @Test
  void letsWhoWaitsGoOnceTheLimitIsLifted() throws IOException {
    var throttle = new NbdThrottle();
    throttle.become(new Limits(0, Limits.MIN_BYTES_PER_SECOND));
    try (NbdTestServer server = NbdTestServer.of(MemoryDevice.ofSize(32 << 20))) {
      server.withThrottle(throttle);
      try (NbdTestClient client = server.connect().simple("disk")) {
        for (int i = 0; i < 3; i++) {
          client.request(0, READ, i, 0, 32 << 20); // each half an hour
        }
        assertThat(client.reply(32 << 20).error()).isZero();
        throttle.become(Limits.NONE);
        assertThat(client.reply(32 << 20).error()).isZero();
        assertThat(client.reply(32 << 20).error()).isZero();
      }
    }
  }

  @Test
  void closesWhileAClientWaitsForItsLimit() throws IOException {
    var throttle = new NbdThrottle();
    throttle.become(new Limits(0, Limits.MIN_BYTES_PER_SECOND));
    NbdTestServer server = NbdTestServer.of(MemoryDevice.ofSize(32 << 20));
    server.withThrottle(throttle);
    try (NbdTestClient client = server.connect().simple("disk")) {
      client.request(0, READ, 1, 0, 32 << 20);
      client.request(0, READ, 2, 0, 32 << 20);
      assertThat(client.reply(32 << 20).error()).isZero();
      server.close(); // within the time of this test, not of the limit
      assertThat(server.closedSessions()).isEqualTo(server.openedSessions());
    }
  }
}
