package blksnap.ctrl;

import blksnap.ctrl.CtrlCodec.Incoming;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.error.Fatal;
import blksnap.log.LogRing;
import com.google.gson.JsonNull;
import java.io.IOException;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/**
 * One client. Its requests are done one at a time, in order, by the <i>worker</i>; meanwhile the
 * <i>reader</i> reads ahead, which is how a hang-up is noticed while the worker waits. A request
 * that only waits is interrupted then; any other is never interrupted by its client, because an
 * interrupt would close the files it works on.
 */
final class CtrlConnection {
  /** Lines of a stack trace that the log gets. */
  private static final int MAX_STACK_LINES = 20;

  private final int number;
  private final LineChannel channel;
  private final CtrlHandler handler;
  private final LogRing log;
  private final CtrlLimits limits;
  private final Consumer<CtrlConnection> onEnd;
  private final LineQueue ahead = new LineQueue();
  private final Thread reader;
  private final Thread worker;

  /** Guards all fields below; never held across I/O or a request. */
  private final ReentrantLock lock = new ReentrantLock();

  private final Condition handled = lock.newCondition();

  /** The client sends no more, or nothing that can be understood. */
  private boolean hungUp;

  /** The server closes, or the connection is over. */
  private boolean stopping;

  /** The worker is within the handler. */
  private boolean handling;

  /** When the worker last left the handler, of {@link System#nanoTime}. */
  private long handledNanos = System.nanoTime();

  /** The worker is within the handler for a request that may be interrupted. */
  private boolean waiting;

  /** Since when the worker waits for a request, of {@link System#nanoTime}; or that it does not. */
  private OptionalLong idleSinceNanos = OptionalLong.of(System.nanoTime());

  /** No request has come yet. */
  private boolean fresh = true;

  /** Why the lines could not be told apart any more. */
  private Optional<BlkSnapException> framingError = Optional.empty();

  /**
   * @param number for the names of the threads and the log
   * @param onEnd called last, by the worker
   */
  CtrlConnection(
      int number,
      LineChannel channel,
      CtrlHandler handler,
      LogRing log,
      CtrlLimits limits,
      Consumer<CtrlConnection> onEnd) {
    this.number = number;
    this.channel = channel;
    this.handler = handler;
    this.log = log;
    this.limits = limits;
    this.onEnd = onEnd;
    this.reader =
        Thread.ofPlatform().name("ctrl-" + number + "-read").daemon().unstarted(this::readAhead);
    this.worker = Thread.ofPlatform().name("ctrl-" + number).daemon().unstarted(this::serve);
  }

  /**
   * Starts both threads; the connection closes its channel by itself when the client has gone.
   *
   * @throws OutOfMemoryError when there can be no more threads; then none is left behind
   */
  void start() {
    reader.start();
    boolean started = false;
    try {
      worker.start();
      started = true;
    } finally {
      if (!started) {
        ahead.stop(); // the reader ends when the caller closes the channel
      }
    }
  }

  private void readAhead() {
    try {
      Optional<byte[]> line = channel.read();
      while (line.isPresent() && ahead.put(line.get())) {
        line = channel.read();
      }
    } catch (BlkSnapException e) {
      lock.lock();
      try {
        framingError = Optional.of(e);
      } finally {
        lock.unlock();
      }
    } catch (IOException _) {
      // The client went away, or the worker closed the channel: the same as an end.
    } catch (RuntimeException e) {
      logStack("reading from client " + number, e);
    } finally {
      hangUp();
    }
  }

  private void hangUp() {
    lock.lock();
    try {
      hungUp = true;
      if (waiting) {
        worker.interrupt();
      }
    } finally {
      lock.unlock();
    }
    ahead.end();
  }

  private void serve() {
    try {
      Optional<byte[]> line = next();
      while (line.isPresent()) {
        answer(line.get());
        line = next();
      }
      Optional<BlkSnapException> error = framingError();
      if (error.isPresent()) {
        log.debug("client " + number + " is cut off: " + error.get().sentence());
        channel.write(CtrlCodec.error(JsonNull.INSTANCE, CtrlCodec.PARSE_ERROR, error.get()));
      }
    } catch (IOException e) {
      log.debug("client " + number + " went away before its reply: " + e.getMessage());
    } catch (RuntimeException | Error e) {
      logStack("client " + number, e);
    } finally {
      finish();
    }
  }

  private Optional<byte[]> next() {
    idle(OptionalLong.of(System.nanoTime()));
    Optional<byte[]> line = ahead.take();
    idle(OptionalLong.empty());
    return line;
  }

  private void idle(OptionalLong sinceNanos) {
    lock.lock();
    try {
      fresh &= sinceNanos.isPresent();
      idleSinceNanos = sinceNanos;
    } finally {
      lock.unlock();
    }
  }

  /** Called now and then: cuts off a client that keeps us waiting for too long. */
  void watch(long nowNanos) {
    if (channel.stalledNanos(nowNanos) > TimeUnit.MILLISECONDS.toNanos(limits.stallMillis())) {
      cutOff("it left a reply unread for " + limits.stallMillis() + " ms");
    }
    long longest;
    long idleNanos;
    lock.lock();
    try {
      longest = fresh ? limits.firstRequestMillis() : limits.idleMillis();
      idleNanos = idleSinceNanos.isPresent() ? nowNanos - idleSinceNanos.getAsLong() : 0;
    } finally {
      lock.unlock();
    }
    if (idleNanos > TimeUnit.MILLISECONDS.toNanos(longest)) {
      cutOff("it sent no request for " + longest + " ms");
    }
  }

  private void cutOff(String why) {
    log.info("client " + number + " is cut off: " + why);
    closeChannel();
  }

  private void answer(byte[] line) throws IOException {
    channel.write(
        switch (CtrlCodec.incoming(line)) {
          case Incoming.Refused(var id, int code, var why) -> CtrlCodec.error(id, code, why);
          case Incoming.Call call -> reply(call);
        });
  }

  private byte[] reply(Incoming.Call call) {
    var progress = new ProgressSender(call.id(), channel, System::nanoTime);
    try {
      begin(call.request());
      CtrlReply reply =
          call.progress() || call.cancel()
              ? handler.handle(call.request(), watcher(call, progress))
              : handler.handle(call.request());
      return CtrlCodec.reply(call.id(), reply);
    } catch (BlkSnapException e) {
      return CtrlCodec.error(call.id(), e);
    } catch (InterruptedException _) {
      return CtrlCodec.error(call.id(), interrupted());
    } catch (IOException e) {
      log.warning(CtrlMethod.of(call.request()).word() + " failed: " + e);
      return CtrlCodec.error(call.id(), new BlkSnapException(Errno.EIO, String.valueOf(e)));
    } catch (RuntimeException | Error e) {
      logStack(CtrlMethod.of(call.request()).word(), e);
      return CtrlCodec.error(call.id(), new BlkSnapException(Errno.EIO, "internal error: " + e));
    } finally {
      progress.end();
      end();
    }
  }

  private CtrlWatcher watcher(Incoming.Call call, ProgressSender sender) {
    return new CtrlWatcher() {
      @Override
      public void accept(CtrlProgress progress) {
        if (call.progress()) {
          sender.accept(progress);
        }
      }

      @Override
      public boolean hasGivenUp() {
        return call.cancel() && hasHungUp();
      }
    };
  }

  private boolean hasHungUp() {
    lock.lock();
    try {
      return hungUp;
    } finally {
      lock.unlock();
    }
  }

  private void begin(CtrlRequest request) throws BlkSnapException {
    boolean waits = request.onlyWaits();
    lock.lock();
    try {
      if (stopping || (waits && hungUp)) {
        throw interruptedBecause(stopping);
      }
      handling = true;
      waiting = waits;
    } finally {
      lock.unlock();
    }
  }

  /** After this no interrupt comes any more, and one that came too late is forgotten. */
  private void end() {
    lock.lock();
    try {
      handling = false;
      handledNanos = System.nanoTime();
      handled.signalAll();
      waiting = false;
      boolean _ = Thread.interrupted();
    } finally {
      lock.unlock();
    }
  }

  private BlkSnapException interrupted() {
    lock.lock();
    try {
      return interruptedBecause(stopping);
    } finally {
      lock.unlock();
    }
  }

  private static BlkSnapException interruptedBecause(boolean stopping) {
    return stopping
        ? new BlkSnapException(Errno.ESHUTDOWN, "the engine is going")
        : new BlkSnapException(Errno.ECANCELED, "the client that waited has hung up");
  }

  private Optional<BlkSnapException> framingError() {
    lock.lock();
    try {
      return stopping ? Optional.empty() : framingError;
    } finally {
      lock.unlock();
    }
  }

  private void logStack(String what, Throwable thrown) {
    Fatal.raise(thrown);
    log.error(what + " failed inside: " + thrown);
    StackTraceElement[] stack = thrown.getStackTrace();
    for (int i = 0; i < Math.min(stack.length, MAX_STACK_LINES); i++) {
      log.error("  at " + stack[i]);
    }
    if (thrown.getCause() != null) {
      log.error("  because of " + thrown.getCause());
    }
  }

  private void finish() {
    stop();
    closeChannel();
    Threads.joinUninterruptibly(reader);
    onEnd.accept(this);
  }

  /**
   * Ends a wait, forgets requests that were not begun, and lets the one that was begun finish. Does
   * not block.
   */
  void stop() {
    lock.lock();
    try {
      stopping = true;
      if (waiting) {
        worker.interrupt();
      }
    } finally {
      lock.unlock();
    }
    ahead.stop();
  }

  /**
   * Waits, after {@link #stop}, until both threads have ended; interrupts the request when it takes
   * too long, and cuts the client off when it does not read its reply.
   *
   * @param closedNanos when the server began to close, of {@link System#nanoTime}
   * @return whether they have ended
   */
  boolean awaitEnd(long closedNanos, CtrlLimits limits) {
    long sinceNanos = closedNanos;
    long graceMillis = limits.replyGraceMillis();
    if (!awaitRequest(closedNanos, limits.handlerGraceMillis())) {
      log.warning("client " + number + " has a request that does not end; it is interrupted");
      interruptRequest();
      graceMillis = limits.abortGraceMillis(); // for the request to end, and its reply
      sinceNanos = System.nanoTime();
    }
    if (Threads.join(worker, lastOf(sinceNanos), graceMillis)) {
      return true;
    }
    log.warning(
        "client " + number + " neither ends its request nor reads its reply; it is cut off");
    closeChannel();
    return Threads.join(worker, System.nanoTime(), limits.abortGraceMillis());
  }

  /** With the lock, so that {@link #end} comes after all of it: else it could cut off the reply. */
  private void interruptRequest() {
    lock.lock();
    try {
      if (handling) {
        worker.interrupt();
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Whether the request, if there is one, ended before {@code graceMillis} after {@code
   * startNanos}.
   */
  private boolean awaitRequest(long startNanos, long graceMillis) {
    long graceNanos = TimeUnit.MILLISECONDS.toNanos(graceMillis);
    boolean interrupted = false;
    lock.lock();
    try {
      long left = graceNanos - (System.nanoTime() - startNanos);
      while (handling && left > 0) {
        try {
          handled.awaitNanos(left);
        } catch (InterruptedException _) {
          interrupted = true; // kept for later: a close is not left half done
        }
        left = graceNanos - (System.nanoTime() - startNanos);
      }
      return !handling;
    } finally {
      lock.unlock();
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** {@code sinceNanos}, or when the last request ended, whichever came later. */
  private long lastOf(long sinceNanos) {
    lock.lock();
    try {
      return Math.max(0, handledNanos - sinceNanos) + sinceNanos;
    } finally {
      lock.unlock();
    }
  }

  private void closeChannel() {
    try {
      channel.close();
    } catch (IOException e) {
      log.debug("client " + number + " could not be closed: " + e.getMessage());
    }
  }

  /** Whether the calling thread is this connection's. */
  boolean isCurrentThread() {
    return Thread.currentThread().equals(worker);
  }

  int number() {
    return number;
  }
}
