package blksnap.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.testing.Threads;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class FlushGroupTest {
  private final AtomicInteger syncs = new AtomicInteger();
  private final Semaphore begun = new Semaphore(0);
  private final Semaphore mayEnd = new Semaphore(0);

  private static FlushGroup group(FlushGroup.Sync sync) {
    return new FlushGroup(
        sync,
        () -> {
          throw new AssertionError("a full sync was not asked for");
        });
  }

  private void slowSync() {
    syncs.incrementAndGet();
    begun.release();
    mayEnd.acquireUninterruptibly();
  }

  private void slowFailure() throws BlkSnapException {
    slowSync();
    throw new BlkSnapException(Errno.ENOSPC, "sync of disk failed: no space left");
  }

  @Test
  void syncsOnceForEachFlushThatComesAlone() throws BlkSnapException {
    var flushes = group(syncs::incrementAndGet);
    flushes.flush();
    flushes.flush();
    assertThat(syncs).hasValue(2);
  }

  @Test
  void sharesOneLaterSyncAmongThoseWhoComeWhileOneRuns() throws Exception {
    var flushes = group(this::slowSync);
    try (var threads = Executors.newCachedThreadPool()) {
      Future<?> first = threads.submit(Threads.task(flushes::flush));
      begun.acquire();
      var waiting = new ArrayList<Future<?>>();
      for (int i = 0; i < 3; i++) {
        waiting.add(Threads.submitAndAwaitBlocked(threads, flushes::flush));
      }
      mayEnd.release();
      first.get();
      begun.acquire();
      // The first sync began before they came, so it does not do for them.
      assertThat(waiting).noneMatch(Future::isDone);
      mayEnd.release();
      for (Future<?> flush : waiting) {
        flush.get();
      }
    }
    assertThat(syncs).hasValue(2);
  }

  @Test
  void failsThoseWhoWaitedAndAllWhoComeLaterWithoutAskingAgain() throws Exception {
    var flushes = group(this::slowFailure);
    try (var threads = Executors.newCachedThreadPool()) {
      Future<?> first = threads.submit(Threads.task(flushes::flush));
      begun.acquire();
      Future<?> waiting = Threads.submitAndAwaitBlocked(threads, flushes::flush);
      mayEnd.release();
      for (Future<?> flush : List.of(first, waiting)) {
        assertThatExceptionOfType(ExecutionException.class)
            .isThrownBy(flush::get)
            .havingCause()
            .withMessage("writes were lost and stay lost: sync of disk failed: no space left");
      }
    }
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(flushes::flush)
        .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EIO));
    assertThat(syncs).hasValue(1);
  }

  @Test
  void aFullSyncWaitsForTheOneThatRunsAndThenIsMade() throws Exception {
    var full = new AtomicInteger();
    var flushes = new FlushGroup(this::slowSync, full::incrementAndGet);
    try (var threads = Executors.newCachedThreadPool()) {
      Future<?> first = threads.submit(Threads.task(flushes::flush));
      begun.acquire();
      Future<?> fully = Threads.submitAndAwaitBlocked(threads, flushes::flushFully);
      assertThat(full).hasValue(0);
      mayEnd.release();
      first.get();
      fully.get();
    }
    assertThat(full).hasValue(1);
    assertThat(syncs).hasValue(1);
  }

  @Test
  void afterAFailedFullSyncNoFlushIsBelievedEither() {
    var flushes =
        new FlushGroup(
            syncs::incrementAndGet,
            () -> {
              throw new BlkSnapException(Errno.EIO, "sync of disk failed: pages were lost");
            });
    assertThatExceptionOfType(BlkSnapException.class).isThrownBy(flushes::flushFully);
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(flushes::flush)
        .withMessage("writes were lost and stay lost: sync of disk failed: pages were lost");
    assertThat(syncs).hasValue(0);
  }

  @Test
  void takesASyncThatEndedInABugForAFailedOne() {
    var flushes =
        group(() -> {
          throw new IllegalStateException("bug");
        });
    assertThatIllegalStateException().isThrownBy(flushes::flush);
    assertThatExceptionOfType(BlkSnapException.class).isThrownBy(flushes::flush);
  }
}
