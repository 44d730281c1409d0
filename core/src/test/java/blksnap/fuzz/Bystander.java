package blksnap.fuzz;

import blksnap.nbd.NbdTestClient;
import blksnap.testing.Bytes;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A client of a device of its own that minds its own business while others are hostile: it writes
 * stamped blocks, reads them back and compares, without a pause. It must get on, too: a round of
 * its requests takes a few milliseconds, and what takes as long as {@link #HELD_UP_NANOS} waited
 * for one of the others.
 */
final class Bystander implements Closeable {
  private static final int BLOCK = 4096;
  private static final int BLOCKS = 64;
  private static final long NAP_NANOS = 1_000_000;

  /** No machine is so slow, and no limit of the server that ends a client so short. */
  private static final long HELD_UP_NANOS = TimeUnit.SECONDS.toNanos(10);

  private final NbdTestClient client;
  private final Thread thread;
  private final AtomicLong rounds = new AtomicLong();
  private volatile boolean over;
  private volatile @Nullable Throwable failure;
  private volatile long slowestNanos;

  /** Begins, on a device of at least 256 KiB that nobody else writes to. */
  Bystander(Path socket, String device) throws IOException {
    client = NbdTestClient.connect(socket).simple(device);
    thread = Thread.ofPlatform().daemon().name("bystander").start(this::run);
  }

  private void run() {
    long[] stamps = new long[BLOCKS];
    try {
      for (long round = 1; !over; round++) {
        long began = System.nanoTime();
        int block = (int) (round % BLOCKS);
        long offset = (long) block * BLOCK;
        if (stamps[block] != 0) {
          check(offset, stamps[block]);
        }
        if (client.write(offset, Bytes.pattern(round, offset, BLOCK)) != 0) {
          throw new AssertionError("the bystander's write failed");
        }
        stamps[block] = round;
        check(offset, round);
        slowestNanos = Math.max(slowestNanos, System.nanoTime() - began);
        rounds.incrementAndGet();
        LockSupport.parkNanos(NAP_NANOS); // leaves the processor to the others
      }
    } catch (IOException | RuntimeException | Error e) {
      failure = e;
    }
  }

  private void check(long offset, long stamp) throws IOException {
    if (!Arrays.equals(client.read(offset, BLOCK), Bytes.pattern(stamp, offset, BLOCK))) {
      throw new AssertionError("the bystander's block at " + offset + " is not what it wrote");
    }
  }

  /**
   * Returns once it has got through a whole round from now on, with its data as it should be, and
   * was never held up.
   */
  void awaitProgress(String story) {
    long before = rounds.get();
    long began = System.nanoTime();
    while (rounds.get() < before + 2) {
      Throwable now = failure;
      if (now != null) {
        throw new AssertionError(story, now);
      }
      if (System.nanoTime() - began > 2 * HELD_UP_NANOS) {
        throw new AssertionError("the bystander is held up: " + report() + "; " + story);
      }
      LockSupport.parkNanos(NAP_NANOS);
    }
    if (slowestNanos > HELD_UP_NANOS) {
      throw new AssertionError("the bystander was held up: " + report() + "; " + story);
    }
  }

  String report() {
    return "bystander: %d rounds, slowest %.1f ms".formatted(rounds.get(), slowestNanos / 1e6);
  }

  /** Waits for the end of its round, unless it is held up. */
  @Override
  public void close() throws IOException {
    over = true;
    try {
      thread.join(TimeUnit.NANOSECONDS.toMillis(HELD_UP_NANOS));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    client.close();
  }
}
