package blksnap.cli.daemon;

import blksnap.cli.command.Directories;
import blksnap.cli.command.EngineLink;
import blksnap.cli.live.OnShutdown;
import blksnap.cli.output.Failure;
import blksnap.cli.output.Palette;
import blksnap.ctrl.CtrlCodec;
import blksnap.ctrl.CtrlHandler;
import blksnap.ctrl.CtrlProgress;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.ctrl.CtrlWatcher;
import blksnap.engine.Engine;
import blksnap.engine.EngineConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Consumer;

/**
 * An engine inside this process: loaded at the first request, ended in order by {@link #close} or a
 * signal.
 */
public final class EmbeddedLink implements EngineLink {
  private final Directories directories;
  private Optional<Engine> engine = Optional.empty();
  private Optional<OnShutdown> onSignal = Optional.empty();

  /** A request runs that can be given up. */
  private volatile boolean watched;

  private volatile boolean cancelled;

  private Optional<Consumer<String>> trace = Optional.empty();

  public EmbeddedLink(Directories directories) {
    this.directories = directories;
  }

  @Override
  public CtrlHandler engine() throws IOException {
    if (engine.isEmpty()) {
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
      engine = Optional.of(loaded);
      onSignal = Optional.of(new OnShutdown("blksnap-signal", () -> end(loaded)));
    }
    return watching(engine.get());
  }

  /** The engine itself would never know that nobody waits any more. */
  private CtrlHandler watching(Engine loaded) {
    return new CtrlHandler() {
      @Override
      public CtrlReply handle(CtrlRequest request) throws IOException, InterruptedException {
        trace.ifPresent(out -> out.accept("--> " + request));
        CtrlReply reply = loaded.handle(request);
        trace.ifPresent(out -> out.accept("<-- " + CtrlCodec.json(reply)));
        return reply;
      }

      @Override
      public CtrlReply handle(CtrlRequest request, CtrlWatcher watcher)
          throws IOException, InterruptedException {
        cancelled = false;
        watched = true;
        try {
          trace.ifPresent(out -> out.accept("--> " + request));
          CtrlReply reply = loaded.handle(request, cancellable(watcher));
          trace.ifPresent(out -> out.accept("<-- " + CtrlCodec.json(reply)));
          return reply;
        } finally {
          watched = false;
        }
      }
    };
  }

  private CtrlWatcher cancellable(CtrlWatcher watcher) {
    return new CtrlWatcher() {
      @Override
      public void accept(CtrlProgress progress) {
        watcher.accept(progress);
      }

      @Override
      public boolean hasGivenUp() {
        return cancelled || watcher.hasGivenUp();
      }
    };
  }

  @Override
  public void trace(Optional<Consumer<String>> wanted) {
    trace = wanted;
  }

  @Override
  public boolean cancel() {
    cancelled = watched;
    return watched;
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
    onSignal.ifPresent(OnShutdown::close);
    onSignal = Optional.empty();
    Optional<Engine> closing = engine;
    engine = Optional.empty();
    if (closing.isPresent()) {
      closing.get().close();
    }
  }
}
