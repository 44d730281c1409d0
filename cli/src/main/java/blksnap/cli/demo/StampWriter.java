package blksnap.cli.demo;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.nbdclient.NbdClient;
import java.io.Closeable;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;

/**
 * Writes stamps to one disk through NBD, one after the other, in a thread of its own, and keeps a
 * log of what it sent and what was answered when. It never waits for anybody: snapshots are taken
 * under it.
 */
final class StampWriter implements Closeable {
  /** Between two writes; about two thousand a second for each disk. */
  private static final long PACE_NANOS = 500_000;

  /** After so many writes it slows down, because its log is kept in memory. */
  private static final long FAST_WRITES = 40_000;

  private static final long SLOW_PACE_NANOS = 20_000_000;

  /** How long a disk may take for the writes that a step waits for. */
  private static final long PATIENCE_SECONDS = 120;

  private static final long LOOK_MILLIS = 100;

  private final DemoDisk disk;
  private final NbdClient client;
  private final LongSupplier nanos;
  private final AtomicLong numbers;
  private final RandomGenerator random;
  private final WriteLog log = new WriteLog();
  private final Thread thread;

  private volatile boolean stopping;
  private volatile Optional<Exception> failure = Optional.empty();

  /**
   * @param numbers gives each write of the run its number
   */
  StampWriter(
      DemoDisk disk,
      NbdClient client,
      LongSupplier nanos,
      AtomicLong numbers,
      RandomGenerator random) {
    this.disk = disk;
    this.client = client;
    this.nanos = nanos;
    this.numbers = numbers;
    this.random = random;
    thread = new Thread(this::run, "blksnap-demo-" + disk.name());
  }

  void start() {
    thread.start();
  }

  DemoDisk disk() {
    return disk;
  }

  WriteLog log() {
    return log;
  }

  private void run() {
    try {
      while (!stopping) {
        long due = nanos.getAsLong() + (log.count() < FAST_WRITES ? PACE_NANOS : SLOW_PACE_NANOS);
        write(disk.blocks().next(random), numbers.incrementAndGet());
        LockSupport.parkNanos(due - nanos.getAsLong());
      }
    } catch (IOException | RuntimeException e) {
      failure = Optional.of(e);
    }
  }

  private void write(long block, long number) throws IOException {
    var bytes = new Stamp(disk.run(), disk.number(), block, number).bytes();
    log.sent(block, number, nanos.getAsLong());
    client.write(block * Stamp.BYTES, bytes);
    log.answered(block, nanos.getAsLong());
  }

  /**
   * Waits until {@code more} writes have been answered from now on.
   *
   * @throws BlkSnapException {@code ETIMEDOUT} when that takes unreasonably long
   * @throws IOException why the writer has stopped
   */
  void awaitWrites(long more) throws IOException, InterruptedException {
    long wanted = log.count() + more;
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (!log.awaitCount(wanted, LOOK_MILLIS)) {
      requireNoFailure();
      if (System.nanoTime() - end > 0) {
        throw new BlkSnapException(
            Errno.ETIMEDOUT,
            "the writer of "
                + disk.name()
                + " waited "
                + PATIENCE_SECONDS
                + " s for "
                + more
                + " writes to be answered");
      }
    }
  }

  /** Lets the write under way be answered, makes all of them durable, and ends. */
  void stop() throws IOException, InterruptedException {
    stopping = true;
    thread.join();
    requireNoFailure();
    client.flush();
  }

  private void requireNoFailure() throws IOException {
    if (failure.isPresent()) {
      Exception cause = failure.get();
      throw new BlkSnapException(
          Errno.EIO,
          "not proven: a write to " + disk.name() + " failed: " + cause.getMessage(),
          cause);
    }
  }

  @Override
  public void close() throws IOException {
    stopping = true;
    try (client) {
      if (thread.isAlive()) {
        thread.join();
      }
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }
}
