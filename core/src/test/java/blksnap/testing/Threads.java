package blksnap.testing;

import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;

/** Work for other threads, and a way to see that it is held up. */
public final class Threads {
  private Threads() {}

  /** I/O for an executor. */
  public static Callable<Boolean> task(Work work) {
    return () -> {
      work.run();
      return true;
    };
  }

  /**
   * Starts it on a thread of its own and returns once that thread waits for a lock or a condition,
   * or has ended; the caller's assertions tell which.
   */
  public static Future<Boolean> submitAndAwaitBlocked(ExecutorService threads, Work work) {
    var runner = new AtomicReference<Thread>();
    Future<Boolean> future =
        threads.submit(() -> {
          runner.set(Thread.currentThread());
          work.run();
          return true;
        });
    while (!future.isDone()) {
      Thread thread = runner.get();
      if (thread != null && thread.getState() == Thread.State.WAITING) {
        break;
      }
      Thread.onSpinWait();
    }
    return future;
  }

  /** What a thread does. */
  @FunctionalInterface
  public interface Work {
    void run() throws IOException;
  }
}
