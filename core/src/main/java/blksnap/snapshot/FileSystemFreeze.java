package blksnap.snapshot;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.NativeFile;
import blksnap.log.LogRing;
import java.io.Closeable;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * File systems that rest for the instant of a take, and go on whatever happens.
 *
 * <p>A thread of its own freezes and thaws them: the kernel's call to freeze ends when the file
 * system's disk has written everything, which may be never. Then that thread is left behind, and
 * thaws what it has frozen when the call does end. It also thaws by itself when the time is up. If
 * this process dies, a {@link ThawWatch} thaws.
 */
final class FileSystemFreeze implements Closeable {
  /** How long to wait for the kernel to thaw, which is quick, before the watch is left to do it. */
  private static final long THAW_MILLIS = 2_000;

  private final List<Path> mountPoints;
  private final List<NativeFile> files = new ArrayList<>();
  private final List<ThawWatch> watches = new ArrayList<>();
  private final long timeoutMillis;
  private final Patience patience;
  private final LogRing log;

  /** All are frozen, or one could not be. */
  private final CountDownLatch settled = new CountDownLatch(1);

  private final CountDownLatch release = new CountDownLatch(1);
  private final CountDownLatch thawed = new CountDownLatch(1);

  private volatile long deadlineNanos;
  private volatile boolean started;
  private volatile @Nullable BlkSnapException failure;

  /** Written by the thread before {@link #thawed}: all were frozen until told to go on. */
  private volatile boolean held;

  private volatile @Nullable BlkSnapException thawFailure;

  /** The take waits for the thread no longer. */
  private volatile boolean abandoned;

  private final AtomicBoolean cleaned = new AtomicBoolean();

  private FileSystemFreeze(
      List<Path> mountPoints, long timeoutMillis, Patience patience, LogRing log) {
    this.mountPoints = mountPoints;
    this.timeoutMillis = timeoutMillis;
    this.patience = patience;
    this.log = log;
  }

  /** Opens the mount points; {@link FreezeCheck} has judged them. Freezes nothing yet. */
  static FileSystemFreeze open(
      List<Path> mountPoints, long timeoutMillis, Patience patience, LogRing log)
      throws BlkSnapException {
    var freeze = new FileSystemFreeze(mountPoints, timeoutMillis, patience, log);
    boolean done = false;
    try {
      for (Path mountPoint : mountPoints) {
        freeze.files.add(NativeFile.open(mountPoint, Set.of(NativeFile.Flag.READ_ONLY)));
      }
      done = true;
      return freeze;
    } finally {
      if (!done) {
        freeze.close();
      }
    }
  }

  /**
   * Returns with all of them frozen, or with none.
   *
   * @throws BlkSnapException what the kernel says; {@code ETIMEDOUT} when it took too long
   */
  void freeze() throws BlkSnapException {
    deadlineNanos = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
    for (Path mountPoint : mountPoints) {
      watches.add(ThawWatch.start(mountPoint, timeoutMillis));
    }
    for (ThawWatch watch : watches) {
      watch.awaitReady(patience, deadlineNanos);
    }
    started = true;
    Thread.ofPlatform().daemon().name("blksnap-freeze").start(this::run);
    if (!patience.await(millis -> settled.await(millis, TimeUnit.MILLISECONDS), deadlineNanos)) {
      release.countDown(); // what it freezes from now on it thaws at once
      throw patience.isOver()
          ? new BlkSnapException(Errno.ESHUTDOWN, "nothing is frozen, since the engine goes")
          : new BlkSnapException(
              Errno.ETIMEDOUT, names() + " could not be frozen within " + timeoutMillis + " ms");
    }
    BlkSnapException refused = failure;
    if (refused != null) {
      throw refused;
    }
  }

  private void run() {
    Deque<NativeFile> frozen = new ArrayDeque<>();
    for (NativeFile file : files) {
      if (release.getCount() == 0) {
        break;
      }
      try {
        file.freezeFileSystem();
        frozen.push(file);
      } catch (BlkSnapException e) {
        failure = e;
        break;
      }
    }
    settled.countDown();
    boolean inTime = failure == null && awaitRelease();
    boolean all = true;
    for (NativeFile file : frozen) { // the last one first
      try {
        all &= file.thawFileSystem();
      } catch (BlkSnapException e) {
        thawFailure = e;
        all = false;
      }
    }
    held = inTime && all && frozen.size() == files.size();
    thawed.countDown();
    if (abandoned) {
      cleanUp();
    }
  }

  private boolean awaitRelease() {
    try {
      return release.await(deadlineNanos - System.nanoTime(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      return false; // nobody interrupts it; thawing is right in any case
    }
  }

  /**
   * Lets them go on.
   *
   * @return whether all of them rested until now
   */
  boolean thaw() {
    release.countDown();
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(THAW_MILLIS);
    return patience.insist(thawed, end) && held;
  }

  /** The mount points, for people. */
  String names() {
    return String.join(", ", mountPoints.stream().map(Path::toString).toList());
  }

  /** Thaws what is still frozen, in any state; twice is harmless. */
  @Override
  public void close() {
    if (!started) {
      cleanUp();
      return;
    }
    thaw();
    abandoned = true;
    if (thawed.getCount() == 0) {
      cleanUp();
    } else {
      log.error(names() + " could not be thawed yet; that is done as soon as the kernel lets go");
    }
  }

  /** Done by whoever comes last: the take, or the thread that it left behind. */
  private void cleanUp() {
    if (!cleaned.compareAndSet(false, true)) {
      return;
    }
    BlkSnapException trouble = thawFailure;
    if (trouble != null) {
      log.error(trouble.sentence() + "; another process tries it again");
    }
    for (ThawWatch watch : watches) {
      if (trouble == null) {
        watch.dismiss();
      } else {
        watch.leaveTheThawToIt();
      }
    }
    for (NativeFile file : files) {
      try {
        file.close();
      } catch (BlkSnapException e) {
        log.debug("closing " + file + ": " + e.sentence());
      }
    }
  }
}
