package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What is on its way to a store: holds it back, counts it, and knows whether it was given up. Safe
 * from many threads but for {@link #tell}.
 */
public final class Transfer {
  private final String stage;
  private final long totalBytes;
  private final BackupOptions.Load load;
  private final Throttle throttle;
  private final AtomicLong sent = new AtomicLong();
  private final AtomicLong found = new AtomicLong();

  /**
   * @param stage what is being done, for whoever hears of it
   * @param totalBytes that the store will have got
   */
  Transfer(String stage, long totalBytes, BackupOptions.Load load) {
    this.stage = stage;
    this.totalBytes = totalBytes;
    this.load = load;
    this.throttle = new Throttle(load.bytesPerSecond(), System::nanoTime, load.cancelled());
  }

  /** Waits until so many bytes may be sent, or it was given up. */
  public void hold(long bytes) {
    throttle.take(bytes);
  }

  public boolean isCancelled() {
    return load.cancelled().getAsBoolean();
  }

  /** So many more bytes were sent. */
  public void sent(long bytes) {
    sent.addAndGet(bytes);
  }

  /** So many more bytes were in the store already. */
  void found(long bytes) {
    found.addAndGet(bytes);
  }

  long foundBytes() {
    return found.get();
  }

  /**
   * @throws BlkSnapException {@code ECANCELED} when it was given up
   */
  void require() throws BlkSnapException {
    if (isCancelled()) {
      throw new BlkSnapException(Errno.ECANCELED, "it was given up");
    }
  }

  /** Says how far it is. One thread at a time. */
  void tell() {
    long bytes = sent.get();
    load.listener()
        .at(
            new BackupOptions.Position(
                stage,
                Math.min(totalBytes, bytes + found.get()),
                totalBytes,
                List.of(new BackupOptions.Amount("sent", bytes))));
  }
}
