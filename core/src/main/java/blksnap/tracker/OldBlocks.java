package blksnap.tracker;

import blksnap.diffarea.AreaChain;
import blksnap.diffarea.DiffArea;
import blksnap.diffarea.FullPolicy;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.flight.Flight;
import blksnap.flight.PreserveEvent;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the old blocks of one change for the snapshots that need them, or gives them up; waits in
 * between where the snapshots ask for it. Used by the thread that makes the change.
 */
final class OldBlocks {
  private static final long ROOM_POLL_MILLIS = 200;

  private final String device;
  private final AreaChain chain;
  private @Nullable DiffArea full;
  private long waitedSince;

  OldBlocks(String device, AreaChain chain) {
    this.device = device;
    this.chain = chain;
  }

  /**
   * Preserves the range, or gives it up: what needed it is corrupt then. Shares the write gate.
   *
   * @return whether the change may go on; else {@link #awaitRoom} comes first, outside the gate,
   *     and then another try
   */
  boolean keep(long offset, long length) {
    Optional<DiffArea> newest = chain.preserver();
    if (newest.isEmpty()) {
      return true;
    }
    PreserveEvent event = Flight.preserve();
    long kept = 0;
    Errno cause = null;
    try {
      kept = chain.preserve(offset, length);
    } catch (IOException | RuntimeException | OutOfMemoryError | InternalError e) {
      cause =
          e instanceof BlkSnapException refused
              ? refused.errno()
              : e instanceof OutOfMemoryError ? Errno.ENOMEM : Errno.EIO;
      if (cause == Errno.ENOSPC && mayWait()) {
        full = newest.get();
        return false;
      }
      chain.giveUp(offset, length, cause, String.valueOf(e.getMessage()));
    }
    if (event != null && (kept > 0 || cause != null)) {
      event.finish(device, offset, length, kept, cause);
    }
    return true;
  }

  private boolean mayWait() {
    FullPolicy policy = chain.fullPolicy();
    if (!policy.waits() || Thread.currentThread().isInterrupted()) {
      return false;
    }
    return policy.longestMillis().isEmpty()
        || full == null
        || System.nanoTime() - waitedSince
            < TimeUnit.MILLISECONDS.toNanos(policy.longestMillis().getAsLong());
  }

  /** Waits until there may be room, or it is time to look again. */
  void awaitRoom() {
    DiffArea waitedFor = full;
    if (waitedFor == null) {
      return;
    }
    if (waitedSince == 0) {
      waitedSince = System.nanoTime();
    }
    try {
      waitedFor.awaitRoom(ROOM_POLL_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // the next try gives up waiting
    }
  }
}
