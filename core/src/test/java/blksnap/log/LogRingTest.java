package blksnap.log;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.log.LogRing.Level;
import blksnap.log.LogRing.Line;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60) // only ends a test that would wait for ever
class LogRingTest {
  private static final long LONG_MILLIS = 600_000;

  private final AtomicLong nanos = new AtomicLong(1_000_000);
  private final List<Line> mirrored = new ArrayList<>();
  private final LogRing ring = new LogRing(nanos::get, mirrored::add);

  @Test
  void numbersItsLinesAndStampsThemWithTheTimeSinceItWasMade() {
    ring.info("Loading");
    nanos.addAndGet(2_500_999);
    ring.debug("Version: 1.0.0.0");

    assertThat(ring.since(0, 10))
        .containsExactly(
            new Line(0, 0, Level.INFO, "Loading"),
            new Line(1, 2_500, Level.DEBUG, "Version: 1.0.0.0"));
  }

  @Test
  void keepsTheLevelOfEachLine() {
    ring.error("e");
    ring.warning("w");
    ring.info("i");
    ring.debug("d");

    assertThat(ring.since(0, 10).stream().map(line -> line.level().number()))
        .containsExactly(3, 4, 6, 7);
  }

  @Test
  void mirrorsEveryLine() {
    ring.info("one");
    ring.error("two");

    assertThat(mirrored).isEqualTo(ring.since(0, 10));
  }

  @Test
  void goesOnWhereAReaderStopped() {
    ring.info("one");
    ring.info("two");
    ring.info("three");

    assertThat(ring.since(1, 10).stream().map(Line::text)).containsExactly("two", "three");
    assertThat(ring.since(0, 2).stream().map(Line::text)).containsExactly("one", "two");
    assertThat(ring.since(3, 10)).isEmpty();
  }

  @Test
  void forgetsTheOldestLinesButNotTheirNumbers() {
    for (int i = 0; i < LogRing.CAPACITY + 2; i++) {
      ring.info("line " + i);
    }

    List<Line> all = ring.since(0, Integer.MAX_VALUE);
    assertThat(all).hasSize(LogRing.CAPACITY);
    assertThat(all.getFirst().sequence()).isEqualTo(2);
    assertThat(all.getFirst().text()).isEqualTo("line 2");
  }

  @Test
  void letsNoControlCharacterReachATerminal() {
    ring.info("name '\u001b[2J\r\n\u009b' é");

    assertThat(ring.since(0, 1).getFirst().text())
        .isEqualTo("name '\uFFFD[2J\uFFFD\uFFFD\uFFFD' é");
  }

  @Test
  void cutsALineThatIsTooLong() {
    ring.info("x".repeat(LogRing.MAX_LINE_CHARS + 1));

    assertThat(ring.since(0, 1).getFirst().text()).isEqualTo("x".repeat(LogRing.MAX_LINE_CHARS));
  }

  @Test
  void comesBackEmptyWhenNoLineComesInTime() throws InterruptedException {
    assertThat(ring.await(0, 10, 1)).isEmpty();
  }

  @Test
  void doesNotWaitWhenThereIsALineAlready() throws InterruptedException {
    ring.info("one");

    assertThat(ring.await(0, 10, LONG_MILLIS)).hasSize(1);
  }

  @Test
  void wakesAWaiterWhenALineComes() throws Exception {
    ring.info("seen before");
    var waiting = new FutureTask<>(() -> ring.await(1, 10, LONG_MILLIS));
    Thread waiter = Thread.ofPlatform().name("log waiter").daemon().start(waiting);
    while (waiter.getState() != Thread.State.TIMED_WAITING) {
      TimeUnit.MILLISECONDS.sleep(1);
    }

    ring.info("news");

    assertThat(waiting.get().stream().map(Line::text)).containsExactly("news");
  }
}
