package blksnap.nbd;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Tells a watcher whether a transfer moves, without a clock on the fast path: the count is odd
 * while a call waits for the peer, and changes with every call. One thread at a time begins and
 * ends; one other watches.
 */
final class NbdProgress {
  private final AtomicInteger calls = new AtomicInteger();

  /** Of the watcher only. */
  private int seen;

  /** Of the watcher only. */
  private long seenAtNanos;

  void begin() {
    calls.setRelease(calls.getPlain() + 1);
  }

  void end() {
    calls.setRelease(calls.getPlain() + 1);
  }

  /**
   * How long the present call has been waiting, as far as the watcher could see; 0 when none is.
   */
  long stalledNanos(long nowNanos) {
    int now = calls.getAcquire();
    if (now != seen || (now & 1) == 0) {
      seen = now;
      seenAtNanos = nowNanos;
      return 0;
    }
    return nowNanos - seenAtNanos;
  }
}
