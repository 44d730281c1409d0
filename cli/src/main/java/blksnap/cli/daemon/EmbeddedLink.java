package blksnap.cli.daemon;

import blksnap.cli.command.Directories;
import blksnap.cli.command.EngineLink;
import blksnap.cli.output.Failure;
import blksnap.cli.output.Palette;
import blksnap.ctrl.CtrlHandler;
import blksnap.engine.Engine;
import blksnap.engine.EngineConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * An engine inside this process: loaded at the first request, ended in order by {@link #close} or a
 * signal.
 */
public final class EmbeddedLink implements EngineLink {
  private final Directories directories;
  private Optional<Engine> engine = Optional.empty();
  private Optional<Thread> onSignal = Optional.empty();

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
      var thread = new Thread(() -> end(loaded), "blksnap-signal");
      Runtime.getRuntime().addShutdownHook(thread);
      onSignal = Optional.of(thread);
    }
    return engine.get();
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
    onSignal.ifPresent(Shutdown::forget);
    onSignal = Optional.empty();
    Optional<Engine> closing = engine;
    engine = Optional.empty();
    if (closing.isPresent()) {
      closing.get().close();
    }
  }
}
