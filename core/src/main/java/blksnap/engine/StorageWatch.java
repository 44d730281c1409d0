package blksnap.engine;

import blksnap.log.LogRing;
import blksnap.snapshot.SnapshotTable;
import java.io.Closeable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** A thread that looks at diff storage every few seconds. Closing it ends the thread. */
final class StorageWatch implements Closeable {
  private static final long LOOK_MILLIS = 5_000;

  private final SnapshotTable snapshots;
  private final LogRing log;
  private final CountDownLatch stopped = new CountDownLatch(1);
  private final Thread thread;

  private StorageWatch(SnapshotTable snapshots, LogRing log) {
    this.snapshots = snapshots;
    this.log = log;
    this.thread = Thread.ofPlatform().daemon().name("blksnap-storage").unstarted(this::run);
  }

  static StorageWatch start(SnapshotTable snapshots, LogRing log) {
    var watch = new StorageWatch(snapshots, log);
    watch.thread.start();
    return watch;
  }

  private void run() {
    try {
      while (!stopped.await(LOOK_MILLIS, TimeUnit.MILLISECONDS)) {
        snapshots.lookAtStorages();
      }
    } catch (InterruptedException e) {
      log.debug("diff storage is watched no longer");
    }
  }

  @Override
  public void close() {
    stopped.countDown();
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
