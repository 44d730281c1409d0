package blksnap.cli.command;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Where an engine lives. Named by an option, else by {@code BLKSNAP_RUN_DIR} and {@code
 * BLKSNAP_STATE_DIR}, else by rule: root has {@code /run/blksnap} and {@code /var/lib/blksnap},
 * others a {@code blksnap} in their XDG directories.
 *
 * @param run sockets, pid and the daemon's log; absolute
 * @param state what outlives the engine; absolute
 */
public record Directories(Path run, Path state) {
  public static final String RUN_VARIABLE = "BLKSNAP_RUN_DIR";
  public static final String STATE_VARIABLE = "BLKSNAP_STATE_DIR";

  private static final String OWN = "blksnap";

  /**
   * @throws BlkSnapException {@code ENOENT} when neither option, variable nor rule names a run
   *     directory
   */
  public static Directories of(CommonOptions options, Environment environment)
      throws BlkSnapException {
    Path run =
        options
            .runDirectory()
            .or(() -> environment.variable(RUN_VARIABLE).map(Path::of))
            .or(() -> runByRule(environment))
            .orElseThrow(() ->
                new BlkSnapException(
                        Errno.ENOENT,
                        "no run directory is known: XDG_RUNTIME_DIR is not set and /run/user/"
                            + environment.uid()
                            + " does not exist")
                    .withHint("name one with --run-dir or " + RUN_VARIABLE));
    return new Directories(environment.absolute(run), state(options, environment));
  }

  /** Where what outlives the engine is; there is always one. */
  public static Path state(CommonOptions options, Environment environment) {
    return environment.absolute(
        options
            .stateDirectory()
            .or(() -> environment.variable(STATE_VARIABLE).map(Path::of))
            .orElseGet(() -> stateByRule(environment)));
  }

  private static Optional<Path> runByRule(Environment environment) {
    if (environment.uid() == 0) {
      return Optional.of(Path.of("/run", OWN));
    }
    return xdg(environment, "XDG_RUNTIME_DIR")
        .or(() ->
            Optional.of(Path.of("/run/user", Long.toString(environment.uid())))
                .filter(Files::isDirectory))
        .map(directory -> directory.resolve(OWN));
  }

  private static Path stateByRule(Environment environment) {
    return environment.uid() == 0 ? Path.of("/var/lib", OWN) : userState(environment);
  }

  /** Where a user's own files are kept from one day to the next, for root too. */
  public static Path userState(Environment environment) {
    return xdg(environment, "XDG_STATE_HOME")
        .orElseGet(() -> environment.home().resolve(".local/state"))
        .resolve(OWN);
  }

  /** The XDG rules ask that a relative path be ignored. */
  private static Optional<Path> xdg(Environment environment, String variable) {
    return environment.variable(variable).map(Path::of).filter(Path::isAbsolute);
  }

  public Path ctrlSocket() {
    return run.resolve("ctrl.sock");
  }

  public Path pidFile() {
    return run.resolve("pid");
  }

  public Path daemonLog() {
    return run.resolve("daemon.log");
  }
}
