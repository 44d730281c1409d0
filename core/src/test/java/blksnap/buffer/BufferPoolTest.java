package blksnap.buffer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60) // only ends a test that would wait for ever
class BufferPoolTest {
  private static final long LIMIT = 4L * BufferPool.ALIGNMENT;

  private final BufferPool pool = new BufferPool(LIMIT, () -> 2);

  @ParameterizedTest
  @ValueSource(ints = {1, 512, 4096, 5000, 16384})
  void lendsAnAlignedDirectBufferOfTheLengthAskedFor(int bytes) throws BlkSnapException {
    try (var lease = pool.take(bytes)) {
      ByteBuffer buffer = lease.buffer();
      assertThat(buffer.isDirect()).isTrue();
      assertThat(buffer.position()).isZero();
      assertThat(buffer.limit()).isEqualTo(bytes);
      assertThat(MemorySegment.ofBuffer(buffer).address() % BufferPool.ALIGNMENT).isZero();
    }
  }

  @ParameterizedTest
  @CsvSource({"1,4096", "4096,4096", "4097,8192", "8192,8192", "8193,16384"})
  void countsThePowerOfTwoThatHoldsTheLength(int bytes, long lent) throws BlkSnapException {
    var lease = pool.take(bytes);
    assertThat(pool.lentBytes()).isEqualTo(lent);
    lease.close();
    assertThat(pool.lentBytes()).isZero();
  }

  @Test
  void takesALeaseBackOnceHoweverOftenItIsClosed() throws BlkSnapException {
    var kept = pool.take(4096);
    var lease = pool.take(4096);
    lease.close();
    lease.close();
    assertThat(pool.lentBytes()).isEqualTo(4096);
    kept.close();
  }

  @Test
  void lendsTheSameBufferAgainWithItsWholeLimit() throws BlkSnapException {
    long address;
    try (var lease = pool.take(100)) {
      lease.buffer().position(7);
      address = MemorySegment.ofBuffer(lease.buffer().rewind()).address();
    }
    try (var lease = pool.take(4096)) {
      assertThat(MemorySegment.ofBuffer(lease.buffer()).address()).isEqualTo(address);
      assertThat(lease.buffer().remaining()).isEqualTo(4096);
    }
  }

  @Test
  void keepsNoFreeBufferWhenItMayKeepNone() throws BlkSnapException {
    var forgetful = new BufferPool(LIMIT, () -> 0);
    ByteBuffer first;
    try (var lease = forgetful.take(4096)) {
      first = lease.buffer();
    }
    try (var lease = forgetful.take(4096)) {
      assertThat(lease.buffer()).isNotSameAs(first);
    }
  }

  @Test
  void holdsNoMoreThanItsLimitHoweverManySizesWereLent() throws BlkSnapException {
    for (int bytes = 4096; bytes <= LIMIT; bytes *= 2) {
      try (var first = pool.take(bytes)) {
        assertThat(pool.heldBytes()).isLessThanOrEqualTo(LIMIT);
        assertThat(first.buffer().remaining()).isEqualTo(bytes);
      }
    }
    assertThat(pool.heldBytes()).isLessThanOrEqualTo(LIMIT);
  }

  @Test
  void freesAllItHeldWhenItIsClosedAndTheRestWhenThatComesBack() throws BlkSnapException {
    var out = pool.take(4096);
    pool.take(8192).close();
    assertThat(pool.heldBytes()).isEqualTo(3 * 4096);
    pool.close();
    assertThat(pool.heldBytes()).isEqualTo(4096);
    out.buffer().putInt(0, 1);
    out.close();
    assertThat(pool.heldBytes()).isZero();
  }

  @Test
  void refusesALengthThatItsLimitCanNeverHold() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> pool.take((int) LIMIT + 1))
        .withMessageContaining("16385");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1, Integer.MAX_VALUE})
  void refusesALengthThatIsNotABuffer(int bytes) {
    assertThatIllegalArgumentException().isThrownBy(() -> pool.take(bytes));
  }

  @Test
  void makesATakerWaitUntilTheLimitHasRoom() throws Exception {
    var all = pool.take((int) LIMIT);
    var taken =
        new FutureTask<>(() -> {
          try (var lease = pool.take(4096)) {
            return lease.buffer().limit();
          }
        });
    Thread waiter = start("taker", taken);
    awaitWaiting(waiter);
    assertThat(taken.isDone()).isFalse();

    all.close();

    assertThat(taken.get()).isEqualTo(4096);
    waiter.join();
    assertThat(pool.lentBytes()).isZero();
  }

  @Test
  void reportsEintrAndStaysInterruptedWhenAWaitIsInterrupted() throws Exception {
    var all = pool.take((int) LIMIT);
    var interrupted = new CompletableFuture<Boolean>();
    var refused =
        new FutureTask<>(() -> {
          var thrown = catchThrowableOfType(BlkSnapException.class, () -> pool.take(1));
          interrupted.complete(Thread.currentThread().isInterrupted());
          return thrown;
        });
    Thread waiter = start("interrupted taker", refused);
    awaitWaiting(waiter);

    waiter.interrupt();

    assertThat(refused.get().errno()).isEqualTo(Errno.EINTR);
    assertThat(interrupted.get()).isTrue();
    assertThat(pool.lentBytes()).isEqualTo(LIMIT);
    all.close();
  }

  private static Thread start(String name, Runnable task) {
    return Thread.ofPlatform().name(name).daemon().start(task);
  }

  /** Returns when the thread waits for the pool; the class's timeout bounds it. */
  private static void awaitWaiting(Thread thread) throws InterruptedException {
    while (thread.getState() != Thread.State.WAITING) {
      TimeUnit.MILLISECONDS.sleep(1);
    }
  }
}
