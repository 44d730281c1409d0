package blksnap.cli.daemon;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Directories;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.live.OnShutdown;
import blksnap.cli.output.Failure;
import blksnap.engine.Engine;
import blksnap.engine.EngineConfig;
import blksnap.engine.NbdOptions;
import blksnap.linux.Processes;
import blksnap.log.LogRing;
import blksnap.param.Parameter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * This process as the engine's: loads it, tells whoever started it, and stays until it is unloaded
 * or a signal comes. SIGTERM and SIGINT end it in order, with exit code 0.
 */
final class ForegroundEngine {
  /**
   * What the one who waits for the daemon reads when it serves; anything else is a failure as JSON.
   */
  static final String READY = "ready";

  private final CommandContext context;
  private final Directories directories;

  /** Whether somebody reads standard output to learn when this serves. */
  private final boolean notify;

  /** Whoever waited knows that this serves. */
  private volatile boolean told;

  ForegroundEngine(CommandContext context, Directories directories, boolean notify) {
    this.context = context;
    this.directories = directories;
    this.notify = notify;
  }

  /** Returns when the engine has exited. */
  int run(Map<Parameter, Long> parameters, NbdOptions nbd)
      throws IOException, InterruptedException {
    Engine engine;
    Processes.restrictNewFiles();
    var lastWords = new LastWords(directories, context.err());
    Thread.setDefaultUncaughtExceptionHandler(lastWords);
    DaemonLog log = log();
    try {
      if (notify) {
        Processes.startSession();
      }
      RunDirectory.prepare(directories.run());
      engine =
          Engine.load(
              new EngineConfig(
                  directories.run(),
                  directories.state(),
                  parameters,
                  true,
                  nbd,
                  line -> {
                    log.add(line);
                    tell(line);
                  }));
    } catch (IOException e) {
      tell(Failure.of(e).toJson().toString());
      throw e;
    }
    try (engine) {
      lastWords.report(engine.log());
      serve(engine);
    }
    return ExitCodes.DONE;
  }

  private void serve(Engine engine) throws IOException, InterruptedException {
    try (PidFile pidFile = PidFile.write(directories.pidFile(), ProcessHandle.current().pid());
        var _ = new OnShutdown("blksnap-signal", () -> endInOrder(engine, pidFile))) {
      tell(READY);
      engine.awaitExit();
    }
  }

  /**
   * Runs when a signal ends the machine. Halts, because the code would be that of a killed process
   * otherwise.
   */
  private void endInOrder(Engine engine, PidFile pidFile) {
    int code = ExitCodes.DONE;
    try (pidFile) {
      engine.close();
    } catch (IOException e) {
      Failure.of(e).print(context.err(), context.errPalette());
      code = ExitCodes.FAILED;
    }
    context.err().flush();
    Runtime.getRuntime().halt(code);
  }

  /** One line, and the end of standard output, for the one who waits; nothing when nobody does. */
  private void tell(String line) {
    told = true;
    if (notify) {
      context.out().println(line);
      context.out().close();
    }
  }

  /** A line of the log, for the one who still waits. */
  private void tell(LogRing.Line line) {
    if (notify && !told && line.level() != LogRing.Level.DEBUG) {
      context.out().println(DaemonNews.of(line));
      context.out().flush();
    }
  }

  private DaemonLog log() {
    Optional<Path> file = notify ? Optional.of(directories.daemonLog()) : Optional.empty();
    return new DaemonLog(context.err(), file, DaemonLauncher.MAX_LOG_BYTES);
  }
}
