package blksnap.ctrl;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.eventqueue.Event;
import blksnap.eventqueue.EventQueue;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * A small engine: one parameter, one event queue, and attributes that misbehave when they are read.
 * {@code /block} blocks until {@link #release}; {@code /tree} tells progress.
 */
final class FakeHandler implements CtrlHandler {
  final List<CtrlRequest> seen = new CopyOnWriteArrayList<>();
  final EventQueue events = new EventQueue(() -> 77);
  final CountDownLatch entered = new CountDownLatch(1);
  final CountDownLatch interrupted = new CountDownLatch(1);
  final CountDownLatch release = new CountDownLatch(1);

  @Override
  public CtrlReply handle(CtrlRequest request) throws IOException, InterruptedException {
    return handle(request, CtrlWatcher.PATIENT);
  }

  @Override
  public CtrlReply handle(CtrlRequest request, CtrlWatcher progress)
      throws IOException, InterruptedException {
    seen.add(request);
    return switch (request) {
      case CtrlRequest.Version _ -> new CtrlReply.VersionInfo("1.0.0.0");
      case CtrlRequest.Detach(String device) ->
          throw new BlkSnapException(Errno.EBUSY, device + " is in use").withHint("use --force");
      case CtrlRequest.SnapshotWait(_, long timeoutMillis) -> await(timeoutMillis);
      case CtrlRequest.Cat(String path) -> cat(path, progress);
      case CtrlRequest.SnapshotDestroy _ -> {
        progress.accept(new CtrlProgress("merge", 1, OptionalLong.of(2)));
        yield new CtrlReply.Done();
      }
      default -> new CtrlReply.Done(); // a fake: the codec's tests have every request
    };
  }

  private CtrlReply await(long timeoutMillis) throws IOException, InterruptedException {
    entered.countDown();
    try {
      Optional<EventQueue.Stamped> event = events.await(timeoutMillis);
      if (event.isPresent()) {
        return new CtrlReply.SnapshotEvent(event.get());
      }
    } catch (InterruptedException e) {
      interrupted.countDown();
      throw e;
    }
    throw new BlkSnapException(Errno.ETIMEDOUT, "no event came in " + timeoutMillis + " ms");
  }

  private CtrlReply cat(String path, CtrlWatcher progress)
      throws IOException, InterruptedException {
    return switch (path) {
      case "/runtime" -> throw new IllegalStateException("it broke");
      case "/error" -> throw new StackOverflowError();
      case "/io" -> throw new IOException("bad sector");
      case "/large" -> new CtrlReply.Value("x".repeat(8 << 20));
      case "/cancel" -> {
        entered.countDown();
        while (!progress.hasGivenUp() && !release.await(5, TimeUnit.MILLISECONDS)) {
          progress.accept(new CtrlProgress("wait", 0, OptionalLong.empty()));
        }
        if (progress.hasGivenUp()) {
          throw new BlkSnapException(Errno.ECANCELED, "it was given up");
        }
        yield new CtrlReply.Value("released");
      }
      case "/block" -> {
        entered.countDown();
        try {
          release.await();
        } catch (InterruptedException e) {
          interrupted.countDown();
          throw e;
        }
        yield new CtrlReply.Value("released");
      }
      default -> new CtrlReply.Value(path);
    };
  }

  void post() {
    events.post(new Event.NoSpace(1));
  }
}
