package blksnap.nbd;

import java.time.Duration;
import java.util.Collection;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;

/**
 * One thread that watches all connections: often, but only while requests come, for one that keeps
 * its turn too long; and now and then for clients that stall.
 */
final class NbdWatchdog {
  /** A request that keeps the turn loses it after one to two of these. */
  private static final long TURN_NANOS = 1_000_000;

  /** So many intervals without a request end the frequent watch. */
  private static final int QUIET_INTERVALS = 100;

  private static final Duration MAX_STALL_INTERVAL = Duration.ofSeconds(1);

  private final Collection<NbdConnection> connections;
  private final long stallIntervalNanos;
  private volatile boolean drowsy;
  private volatile boolean stopped;
  private volatile Optional<Thread> thread = Optional.empty();

  /**
   * @param connections live, changed by others
   * @param limits how long clients may take; the watch is fine enough for the shortest
   */
  NbdWatchdog(Collection<NbdConnection> connections, NbdLimits limits) {
    this.connections = connections;
    long shortest =
        Math.min(
            MAX_STALL_INTERVAL.toNanos(),
            Math.min(limits.handshake().toNanos(), limits.stall().toNanos()) / 4);
    this.stallIntervalNanos = Math.max(TURN_NANOS, shortest);
  }

  /** To be called before any connection exists. */
  void start(NbdThreads threads) {
    thread = Optional.of(threads.start("blksnap-nbd-watchdog", this::run));
  }

  /** Told by a worker that has just kept its turn; costs nothing while the watch is frequent. */
  void wake() {
    if (drowsy) {
      drowsy = false;
      thread.ifPresent(LockSupport::unpark);
    }
  }

  /** Lets the thread end. */
  void stop() {
    stopped = true;
    thread.ifPresent(LockSupport::unpark);
  }

  private void run() {
    long nextStallWatch = System.nanoTime() + stallIntervalNanos;
    int quiet = 0;
    while (!stopped) {
      quiet = watchTurns() ? 0 : quiet + 1;
      long now = System.nanoTime();
      if (now - nextStallWatch >= 0) {
        connections.forEach(connection -> connection.watchStall(now));
        nextStallWatch = now + stallIntervalNanos;
      }
      if (quiet < QUIET_INTERVALS) {
        LockSupport.parkNanos(this, TURN_NANOS);
      } else {
        sleep(nextStallWatch - now);
      }
    }
  }

  private boolean watchTurns() {
    boolean active = false;
    for (NbdConnection connection : connections) {
      active |= connection.watchTurn();
    }
    return active;
  }

  /**
   * A worker keeps its turn, then looks whether to wake us; we say that we sleep, then look for one
   * that does.
   */
  private void sleep(long nanos) {
    drowsy = true;
    if (!stopped
        && connections.stream().noneMatch(connection -> connection.link().turn().isKept())) {
      LockSupport.parkNanos(this, nanos);
    }
    drowsy = false;
  }
}
