package blksnap.cli.daemon;

import blksnap.cli.command.Directories;
import blksnap.engine.Engine;
import blksnap.engine.EngineConfig;
import java.io.Closeable;
import java.io.IOException;
import java.util.Map;
import java.util.OptionalInt;

/** A whole engine in this process that commands reach over its socket, as they reach a daemon's. */
public final class TrainingEngine implements Closeable {
  private final Engine engine;

  private TrainingEngine(Engine engine) {
    this.engine = engine;
  }

  /** Loads it in directories that no other engine uses. */
  public static TrainingEngine load(Directories directories) throws IOException {
    RunDirectory.prepare(directories.run());
    return new TrainingEngine(
        Engine.load(
            new EngineConfig(
                directories.run(),
                directories.state(),
                Map.of(),
                true,
                OptionalInt.empty(),
                _ -> {})));
  }

  @Override
  public void close() throws IOException {
    engine.close();
  }
}
