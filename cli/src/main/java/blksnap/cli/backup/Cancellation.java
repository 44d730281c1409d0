package blksnap.cli.backup;

import java.io.Closeable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Lets a signal, or in our own shell an interrupt of the thread that made it, end a command in
 * order: it is told to give up, and the process waits until it has given everything back.
 */
final class Cancellation implements Closeable {
  /** Longest wait for that; after it the process ends all the same. */
  private static final long MAX_WAIT_SECONDS = 20;

  private final CountDownLatch asked = new CountDownLatch(1);
  private final CountDownLatch over = new CountDownLatch(1);
  private final Thread hook = new Thread(this::giveUp, "blksnap-cancel");
  private final Thread command = Thread.currentThread();
  private volatile boolean cancelled;

  private Cancellation() {}

  static Cancellation onSignal() {
    var cancellation = new Cancellation();
    Runtime.getRuntime().addShutdownHook(cancellation.hook);
    return cancellation;
  }

  boolean isCancelled() {
    return cancelled || command.isInterrupted();
  }

  /** Until a signal comes. */
  void await() throws InterruptedException {
    asked.await();
  }

  private void giveUp() {
    cancelled = true;
    asked.countDown();
    try {
      if (!over.await(MAX_WAIT_SECONDS, TimeUnit.SECONDS)) {
        return; // whatever it hangs in, the next one tidies up
      }
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    over.countDown();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException _) {
      // the process is ending
    }
  }
}
