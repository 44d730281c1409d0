package blksnap.eventqueue;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.error.Errno;
import java.util.Optional;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60) // only ends a test that would wait for ever
class EventQueueTest {
  private static final long LONG_MILLIS = 600_000;

  private final AtomicLong nanos = new AtomicLong();
  private final EventQueue queue = new EventQueue(nanos::get);

  @Test
  void givesEventsOldestFirstWithTheTimeTheyHappened() throws InterruptedException {
    nanos.set(11);
    queue.post(new Event.LowFreeSpace(2048));
    nanos.set(22);
    queue.post(new Event.Corrupted("vm1", Errno.ENOSPC));

    assertThat(queue.await(0)).contains(new EventQueue.Stamped(11, new Event.LowFreeSpace(2048)));
    assertThat(queue.await(0))
        .contains(new EventQueue.Stamped(22, new Event.Corrupted("vm1", Errno.ENOSPC)));
    assertThat(queue.await(0)).isEmpty();
  }

  @Test
  void dropsTheOldestWhenItIsFullAndCountsIt() throws InterruptedException {
    for (int i = 0; i < EventQueue.CAPACITY + 3; i++) {
      queue.post(new Event.NoSpace(i));
    }

    assertThat(queue.dropped()).isEqualTo(3);
    assertThat(queue.await(0).map(EventQueue.Stamped::event)).contains(new Event.NoSpace(3));
  }

  @Test
  void loosesNothingBelowItsCapacity() {
    for (int i = 0; i < EventQueue.CAPACITY; i++) {
      queue.post(new Event.NoSpace(i));
    }

    assertThat(queue.dropped()).isZero();
  }

  @Test
  void comesBackEmptyWhenNothingHappensInTime() throws InterruptedException {
    assertThat(queue.await(1)).isEmpty();
  }

  @Test
  void wakesAWaiterWhenAnEventIsPosted() throws Exception {
    var waiting = new FutureTask<>(() -> queue.await(LONG_MILLIS));
    awaitWaiting(start(waiting));

    queue.post(new Event.NoSpace(8));

    assertThat(waiting.get().map(EventQueue.Stamped::event)).contains(new Event.NoSpace(8));
  }

  @Test
  void wakesEveryWaiterWhenItCloses() throws Exception {
    var one = new FutureTask<>(() -> queue.await(LONG_MILLIS));
    var two = new FutureTask<>(() -> queue.await(LONG_MILLIS));
    awaitWaiting(start(one));
    awaitWaiting(start(two));
    assertThat(queue.isClosed()).isFalse();

    queue.close();

    assertThat(queue.isClosed()).isTrue();
    assertThat(one.get()).isEqualTo(Optional.empty());
    assertThat(two.get()).isEqualTo(Optional.empty());
  }

  @Test
  void stillGivesWhatWasPostedBeforeItClosed() throws InterruptedException {
    queue.post(new Event.NoSpace(8));
    queue.close();

    assertThat(queue.await(LONG_MILLIS)).isPresent();
    assertThat(queue.await(LONG_MILLIS)).isEmpty();
  }

  @Test
  void givesEachEventTheWordOfEveryInterface() {
    assertThat(new Event.LowFreeSpace(1).code()).isEqualTo("low_free_space");
    assertThat(new Event.Corrupted("vm1", Errno.EIO).code()).isEqualTo("corrupted");
    assertThat(new Event.NoSpace(1).code()).isEqualTo("no_space");
  }

  private static Thread start(Runnable task) {
    return Thread.ofPlatform().name("event waiter").daemon().start(task);
  }

  /** Returns when the thread waits for an event; the class's timeout bounds it. */
  private static void awaitWaiting(Thread thread) throws InterruptedException {
    while (thread.getState() != Thread.State.TIMED_WAITING) {
      TimeUnit.MILLISECONDS.sleep(1);
    }
  }
}
