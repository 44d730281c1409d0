package blksnap.device;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Threads;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RangeGateTest {
  private final RangeGate gate = new RangeGate();
  private final ExecutorService threads = Executors.newCachedThreadPool();

  @AfterEach
  void endThreads() {
    threads.close();
  }

  private Future<Boolean> passing(long first, long end) {
    return Threads.submitAndAwaitBlocked(threads, () -> gate.enter(first, end).close());
  }

  private Future<Boolean> passingAlone(long first, long end) {
    return Threads.submitAndAwaitBlocked(threads, () -> gate.enterAlone(first, end).close());
  }

  @Test
  void letsThoseWhoShareIntoTheSameRange() throws Exception {
    try (RangeGate.Pass _ = gate.enter(0, 100)) {
      assertThat(passing(50, 150).get()).isTrue();
    }
  }

  @Test
  void keepsEveryoneOutOfARangeThatIsEnteredAlone() throws Exception {
    Future<Boolean> sharing;
    Future<Boolean> alone;
    try (RangeGate.Pass _ = gate.enterAlone(100, 200)) {
      sharing = passing(199, 300);
      alone = passingAlone(90, 101);
      assertThat(sharing.isDone()).isFalse();
      assertThat(alone.isDone()).isFalse();
      assertThat(passingAlone(300, 301).get()).isTrue();
      assertThat(passing(0, 50).get()).isTrue();
    }
    assertThat(sharing.get()).isTrue();
    assertThat(alone.get()).isTrue();
  }

  @Test
  void waitsForThoseWhoShareBeforeItLetsOneInAlone() throws Exception {
    Future<Boolean> alone;
    try (RangeGate.Pass _ = gate.enter(0, 10)) {
      alone = passingAlone(5, 15);
      assertThat(alone.isDone()).isFalse();
    }
    assertThat(alone.get()).isTrue();
  }

  @Test
  void letsNobodyOvertakeOneWhoWaitsToBeAlone() throws Exception {
    Future<Boolean> alone;
    Future<Boolean> late;
    try (RangeGate.Pass _ = gate.enter(0, 10)) {
      alone = passingAlone(0, 10);
      late = passing(0, 10);
      assertThat(late.isDone()).isFalse();
      assertThat(passing(10, 20).get()).isTrue();
    }
    assertThat(alone.get()).isTrue();
    assertThat(late.get()).isTrue();
  }

  @Test
  void mayBeLeftTwice() throws Exception {
    RangeGate.Pass pass = gate.enterAlone(0, 10);
    pass.close();
    pass.close();
    assertThat(passingAlone(0, 10).get()).isTrue();
  }
}
