package blksnap.cli.live;

import blksnap.ctrl.CtrlProgress;
import java.io.Closeable;
import java.util.OptionalLong;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Tells that something goes on of which nobody knows how far it is: what it does now, and for how
 * long, on a thread of its own until it is closed.
 */
public final class Waiting implements Closeable {
  private final Progress progress;
  private final CountDownLatch over = new CountDownLatch(1);
  private final Thread thread = new Thread(this::tell, "blksnap-waiting");
  private volatile String stage;

  /**
   * @param progress closed with this
   */
  public Waiting(String stage, Progress progress) {
    this.stage = stage;
    this.progress = progress;
    if (!progress.isSilent()) {
      thread.setDaemon(true);
      thread.start();
    }
  }

  /** Says what is being done from now on; from any thread. */
  public void stage(String now) {
    stage = now;
  }

  private void tell() {
    try {
      while (!over.await(Progress.INTERVAL_MILLIS, TimeUnit.MILLISECONDS)) {
        progress.accept(new CtrlProgress(stage, 0, OptionalLong.empty()));
      }
    } catch (InterruptedException _) {
      // Nobody interrupts it; then it would have nothing more to tell.
    }
  }

  /** Leaves no trace of a bar. */
  @Override
  public void close() {
    over.countDown();
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException _) {
        interrupted = true; // it ends within one drawing
      }
    }
    progress.close();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
