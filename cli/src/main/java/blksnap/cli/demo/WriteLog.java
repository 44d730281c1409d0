package blksnap.cli.demo;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * What was written to one disk, block by block, and when. Kept by the one who writes, so it knows
 * nothing of snapshots. Safe from many threads; at most one write is under way.
 */
final class WriteLog {
  /** When a write was answered that has not been. */
  static final long NEVER = Long.MAX_VALUE;

  /**
   * One write. Times are nanoseconds since the run began: it changed the disk after the first and
   * before the second.
   */
  record Write(long number, long sentNanos, long answeredNanos) {}

  private final Map<Long, List<Write>> writes = new HashMap<>();
  private long answered;

  /** A write is about to be sent. */
  synchronized void sent(long block, long number, long nanos) {
    writes.computeIfAbsent(block, _ -> new ArrayList<>(1)).add(new Write(number, nanos, NEVER));
  }

  /** The latest write to {@code block} has been answered. */
  synchronized void answered(long block, long nanos) {
    List<Write> list = writes.getOrDefault(block, List.of());
    Write latest = list.removeLast();
    list.add(new Write(latest.number(), latest.sentNanos(), nanos));
    answered++;
    notifyAll();
  }

  /** The writes to a block so far, oldest first. */
  synchronized List<Write> of(long block) {
    return List.copyOf(writes.getOrDefault(block, List.of()));
  }

  /** How many writes have been answered. */
  synchronized long count() {
    return answered;
  }

  /** Waits until {@code wanted} writes have been answered; false when they were not in time. */
  synchronized boolean awaitCount(long wanted, long millis) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
    while (answered < wanted) {
      long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
      if (left <= 0) {
        return false;
      }
      wait(left);
    }
    return true;
  }
}
