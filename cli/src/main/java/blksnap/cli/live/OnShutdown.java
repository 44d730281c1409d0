package blksnap.cli.live;

import java.io.Closeable;

/**
 * What is to be done when a signal ends this process; taken back by {@link #close}. When the
 * machine is going down already it is done all the same, which must be harmless.
 */
public final class OnShutdown implements Closeable {
  private final Thread thread;

  /**
   * @param thread that does it, by name; no other thread waits for it
   */
  public OnShutdown(String thread, Runnable action) {
    this.thread = new Thread(action, thread);
    Runtime.getRuntime().addShutdownHook(this.thread);
  }

  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(thread);
    } catch (IllegalStateException _) {
      // It is running, or has run.
    }
  }
}
