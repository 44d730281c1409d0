package blksnap.cli.daemon;

import blksnap.cli.command.Directories;
import blksnap.cli.command.EngineLink;
import blksnap.cli.live.OnShutdown;
import blksnap.cli.output.Failure;
import blksnap.cli.output.Palette;
import blksnap.ctrl.CtrlHandler;
import blksnap.ctrl.CtrlProgress;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.ctrl.CtrlWatcher;
import blksnap.ctrl.TracedHandler;
import blksnap.engine.Engine;
import blksnap.engine.EngineConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * An engine inside this process: loaded at the first request, ended in order by {@link #close} or a
 * signal.
 */
public final class EmbeddedLink implements EngineLink {
  /** How long the end waits for a request that its line did not wait for. */
  private static final long END_SECONDS = 60;

  private final Directories directories;
  private final AtomicLong lastId = new AtomicLong();

  /**
   * Runs what is asked: an interrupt of whoever asks would close the files that a request works on.
   */
  private final ExecutorService workers =
      Executors.newCachedThreadPool(
          Thread.ofPlatform().daemon().name("blksnap-embedded-", 1).factory());

  private Optional<Future<Engine>> engine = Optional.empty();
  private Optional<OnShutdown> onSignal = Optional.empty();
  private Optional<Consumer<String>> trace = Optional.empty();

  /** Whoever waits for a request that can be given up. */
  private volatile Optional<Patience> watched = Optional.empty();

  public EmbeddedLink(Directories directories) {
    this.directories = directories;
  }

  @Override
  public CtrlHandler engine() throws IOException, InterruptedException {
    if (engine.isEmpty()) {
      engine = Optional.of(workers.submit(this::load));
    }
    Engine loaded;
    try {
      loaded = result(engine.get());
    } catch (IOException | RuntimeException e) {
      engine = Optional.empty(); // the next request tries again
      throw e;
    }
    CtrlHandler own = onWorkers(loaded);
    return trace.isPresent() ? new TracedHandler(own, lastId, trace.get()) : own;
  }

  private Engine load() throws IOException {
    RunDirectory.prepare(directories.run());
    Engine loaded =
        Engine.load(
            new EngineConfig(
                directories.run(),
                directories.state(),
                Map.of(),
                false,
                OptionalInt.empty(),
                line -> {}));
    onSignal = Optional.of(new OnShutdown("blksnap-signal", () -> end(loaded)));
    return loaded;
  }

  private CtrlHandler onWorkers(Engine loaded) {
    return new CtrlHandler() {
      @Override
      public CtrlReply handle(CtrlRequest request) throws IOException, InterruptedException {
        return await(request, workers.submit(() -> loaded.handle(request)));
      }

      @Override
      public CtrlReply handle(CtrlRequest request, CtrlWatcher watcher)
          throws IOException, InterruptedException {
        var patience = new Patience(watcher);
        watched = Optional.of(patience);
        try {
          return await(request, workers.submit(() -> loaded.handle(request, patience)));
        } catch (InterruptedException e) {
          patience.givenUp = true;
          throw e;
        } finally {
          watched = Optional.empty();
        }
      }
    };
  }

  /** What only waits ends at an interrupt; the rest is done to its end, and nobody is told. */
  private static CtrlReply await(CtrlRequest request, Future<CtrlReply> asked)
      throws IOException, InterruptedException {
    try {
      return result(asked);
    } catch (InterruptedException e) {
      if (request.onlyWaits()) {
        asked.cancel(true);
      }
      throw e;
    }
  }

  private static <T> T result(Future<T> asked) throws IOException, InterruptedException {
    try {
      return asked.get();
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case IOException refused -> throw refused;
        case InterruptedException interrupted -> throw interrupted;
        case Error grave -> throw grave;
        case RuntimeException unforeseen -> throw unforeseen;
        case null, default -> throw new IllegalStateException("no request throws this", e);
      }
    }
  }

  /** Tells what waits for a request until it is given up. */
  private static final class Patience implements CtrlWatcher {
    private final CtrlWatcher watcher;
    private volatile boolean givenUp;

    Patience(CtrlWatcher watcher) {
      this.watcher = watcher;
    }

    @Override
    public void accept(CtrlProgress progress) {
      if (!givenUp) {
        watcher.accept(progress);
      }
    }

    @Override
    public boolean hasGivenUp() {
      return givenUp || watcher.hasGivenUp();
    }
  }

  /** Holds for what {@link #engine} returns from now on. */
  @Override
  public void trace(Optional<Consumer<String>> wanted) {
    trace = wanted;
  }

  @Override
  public boolean cancel() {
    Optional<Patience> asked = watched;
    asked.ifPresent(patience -> patience.givenUp = true);
    return asked.isPresent();
  }

  /** Runs when a signal ends the machine. */
  private static void end(Engine engine) {
    try {
      engine.close();
    } catch (IOException e) {
      Failure.of(e)
          .print(new PrintWriter(System.err, true, StandardCharsets.UTF_8), new Palette(false));
    }
  }

  @Override
  public void close() throws IOException {
    awaitRequests();
    onSignal.ifPresent(OnShutdown::close);
    onSignal = Optional.empty();
    Optional<Future<Engine>> closing = engine;
    engine = Optional.empty();
    if (closing.isPresent() && closing.get().state() == Future.State.SUCCESS) {
      closing.get().resultNow().close();
    }
  }

  /** Waits for what an interrupt left running. */
  private void awaitRequests() {
    workers.shutdown();
    try {
      var _ = workers.awaitTermination(END_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // the engine is closed all the same
    }
  }
}
