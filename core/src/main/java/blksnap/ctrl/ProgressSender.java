package blksnap.ctrl;

import com.google.gson.JsonElement;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * Tells a client how far its request is, often enough for a person and seldom enough that a client
 * that does not read never holds up the work: all lines of one request fit into the socket's
 * buffer. Safe from many threads.
 */
final class ProgressSender implements Consumer<CtrlProgress> {
  /** Lines for one request. */
  static final int MAX_LINES = 100;

  /** Time between the first lines of a request; it doubles after each {@value #LINES_AT_A_RATE}. */
  static final long INTERVAL_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

  /** So {@link #MAX_LINES} lines last for half an hour. */
  private static final int LINES_AT_A_RATE = 10;

  /** Characters of a stage's name that are sent. */
  private static final int MAX_STAGE_CHARS = 100;

  private final JsonElement id;
  private final LineChannel channel;
  private final LongSupplier nanoClock;

  /** Guards the fields below and, with them, the order of a request's lines. */
  private final ReentrantLock lock = new ReentrantLock();

  private int sent;
  private long dueNanos;
  private boolean over;

  ProgressSender(JsonElement id, LineChannel channel, LongSupplier nanoClock) {
    this.id = id;
    this.channel = channel;
    this.nanoClock = nanoClock;
    this.dueNanos = nanoClock.getAsLong();
  }

  @Override
  public void accept(CtrlProgress progress) {
    lock.lock();
    try {
      long now = nanoClock.getAsLong();
      if (over || sent == MAX_LINES || now - dueNanos < 0) {
        return;
      }
      dueNanos = now + (INTERVAL_NANOS << (sent / LINES_AT_A_RATE));
      sent++;
      String stage = progress.stage();
      channel.write(
          CtrlCodec.progress(
              id,
              stage.length() <= MAX_STAGE_CHARS
                  ? progress
                  : new CtrlProgress(
                      stage.substring(0, MAX_STAGE_CHARS), progress.done(), progress.total())));
    } catch (IOException _) {
      over = true; // the client is gone; what it asked for is done all the same
    } finally {
      lock.unlock();
    }
  }

  /** Nothing is sent from now on: the reply comes next. */
  void end() {
    lock.lock();
    try {
      over = true;
    } finally {
      lock.unlock();
    }
  }
}
