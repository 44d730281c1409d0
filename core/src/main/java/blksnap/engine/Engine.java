package blksnap.engine;

import blksnap.ctrl.CtrlHandler;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.ctrl.CtrlWatcher;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import java.io.Closeable;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;

/**
 * The engine: from {@link #load} to {@link #close} it serves its devices and answers requests, in
 * this process. Safe from many threads.
 */
public final class Engine implements CtrlHandler, Closeable {
  private final EngineParts parts;
  private final Lifecycle lifecycle;
  private final DirectoryLock stateLock;
  private final DirectoryLock runLock;
  private final RequestHandler requests;
  private final CountDownLatch gone = new CountDownLatch(1);

  /** Makes going happen once; guards the step from live to going. */
  private final ReentrantLock goingLock = new ReentrantLock();

  private volatile Optional<IOException> exitFailure = Optional.empty();

  private Engine(
      EngineConfig config, LogRing log, LongSupplier nanoClock, Lifecycle.Gatekeeper gatekeeper)
      throws IOException {
    this.stateLock = DirectoryLock.take(config.stateDirectory());
    boolean loaded = false;
    DirectoryLock run = null;
    try {
      run = DirectoryLock.take(config.runDirectory());
      this.runLock = run;
      this.parts = new EngineParts(config, log, nanoClock);
      this.requests = new RequestHandler(parts, this::unload);
      this.lifecycle = new Lifecycle(parts.subsystems(requests), log, gatekeeper);
      log.info("Loading");
      log.debug("version " + Version.TEXT);
      parts.values().forEach((key, value) -> log.debug("parameter " + key.key() + "=" + value));
      lifecycle.init();
      parts.become(InitState.LIVE);
      loaded = true;
    } finally {
      if (!loaded) {
        if (run != null) {
          run.close();
        }
        stateLock.close();
      }
    }
  }

  /**
   * Brings an engine up: diff_io, snapimage, tracker, ctrl, sysfs. What was attached before is
   * attached again.
   *
   * @throws BlkSnapException with the errno and the name of the subsystem that failed; {@code
   *     EEXIST} when an engine has these directories. Nothing is left behind then
   */
  public static Engine load(EngineConfig config) throws IOException {
    return load(config, subsystem -> {});
  }

  static Engine load(EngineConfig config, Lifecycle.Gatekeeper gatekeeper) throws IOException {
    return load(config, System::nanoTime, gatekeeper);
  }

  /**
   * @param nanoClock monotonic
   */
  static Engine load(EngineConfig config, LongSupplier nanoClock, Lifecycle.Gatekeeper gatekeeper)
      throws IOException {
    var log = new LogRing(nanoClock, config.logMirror());
    return new Engine(config, log, nanoClock, gatekeeper);
  }

  /** Does at once what is done every few seconds: checkpoints, and a look at diff storage. */
  void lookAround() {
    parts.trackers().checkpoint();
    parts.snapshots().lookAtStorages();
  }

  public LogRing log() {
    return parts.log();
  }

  @Override
  public CtrlReply handle(CtrlRequest request) throws IOException, InterruptedException {
    return requests.handle(request);
  }

  @Override
  public CtrlReply handle(CtrlRequest request, CtrlWatcher watcher)
      throws IOException, InterruptedException {
    return requests.handle(request, watcher);
  }

  /** Begins to go, in a thread of its own, so that who asked still gets its answer. */
  private void unload(boolean force) throws BlkSnapException, InterruptedException {
    if (!force) {
      parts.exports().awaitUnused(_ -> true);
    }
    goingLock.lock();
    try {
      if (!force) {
        parts.requireUnused();
      }
      if (parts.initState() == InitState.GOING) {
        throw new BlkSnapException(Errno.ESHUTDOWN, "the engine is going already");
      }
      parts.become(InitState.GOING);
    } finally {
      goingLock.unlock();
    }
    new Thread(this::exit, "blksnap-exit").start();
  }

  private void exit() {
    parts.log().info("Unloading module");
    try {
      lifecycle.exit();
    } catch (IOException e) {
      exitFailure = Optional.of(e);
    }
    for (DirectoryLock lock : java.util.List.of(runLock, stateLock)) {
      try {
        lock.close();
      } catch (IOException e) {
        exitFailure = Optional.of(e);
      }
    }
    parts.log().info("Module was unloaded");
    gone.countDown();
  }

  /** Blocks until the engine is gone, whoever made it go. */
  public void awaitExit() throws InterruptedException {
    gone.await();
  }

  /**
   * Brings the engine down in order, by force: snapshots are released, clients are cut off. Waits
   * until it is gone; twice is harmless.
   *
   * @throws IOException what the exit of a subsystem reported; the others were brought down all the
   *     same
   */
  @Override
  public void close() throws IOException {
    boolean ours = false;
    goingLock.lock();
    try {
      if (parts.initState() == InitState.LIVE) {
        parts.become(InitState.GOING);
        ours = true;
      }
    } finally {
      goingLock.unlock();
    }
    if (ours) {
      exit();
    }
    try {
      gone.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BlkSnapException(Errno.EINTR, "interrupted while the engine was going", e);
    }
    if (exitFailure.isPresent()) {
      throw exitFailure.get();
    }
  }
}
