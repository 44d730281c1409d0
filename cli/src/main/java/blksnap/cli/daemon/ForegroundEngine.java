package blksnap.cli.daemon;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Directories;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.output.Failure;
import blksnap.engine.Engine;
import blksnap.engine.EngineConfig;
import blksnap.linux.Processes;
import blksnap.param.Parameter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

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

  ForegroundEngine(CommandContext context, Directories directories, boolean notify) {
    this.context = context;
    this.directories = directories;
    this.notify = notify;
  }

  /** Returns when the engine has exited. */
  int run(Map<Parameter, Long> parameters, OptionalInt tcpPort)
      throws IOException, InterruptedException {
    Engine engine;
    Processes.restrictNewFiles();
    var lastWords = new LastWords(directories, context.err());
    Thread.setDefaultUncaughtExceptionHandler(lastWords);
    try {
      if (notify) {
        Processes.startSession();
      }
      RunDirectory.prepare(directories.run());
      engine =
          Engine.load(
              new EngineConfig(
                  directories.run(), directories.state(), parameters, true, tcpPort, log()::add));
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
    try (PidFile pidFile = PidFile.write(directories.pidFile(), ProcessHandle.current().pid())) {
      var onSignal = new Thread(() -> endInOrder(engine, pidFile), "blksnap-signal");
      Runtime.getRuntime().addShutdownHook(onSignal);
      tell(READY);
      engine.awaitExit();
      Shutdown.forget(onSignal);
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
    if (notify) {
      context.out().println(line);
      context.out().close();
    }
  }

  private DaemonLog log() {
    Optional<Path> file = notify ? Optional.of(directories.daemonLog()) : Optional.empty();
    return new DaemonLog(context.err(), file, DaemonLauncher.MAX_LOG_BYTES);
  }
}
