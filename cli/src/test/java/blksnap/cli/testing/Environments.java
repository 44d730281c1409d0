package blksnap.cli.testing;

import blksnap.cli.command.Environment;
import java.nio.file.Path;
import java.util.Map;

/** Environments for tests: a user with a UTF-8 locale, no terminal, and directories of his own. */
public final class Environments {
  private Environments() {}

  public static Environment user() {
    return new Environment(
        Map.of("LANG", "C.UTF-8", "XDG_RUNTIME_DIR", "/run/user/1000"),
        1000,
        Path.of("/home/ann"),
        Path.of("/here"),
        false,
        false,
        false);
  }

  /** The same without variables, as another user or another terminal. */
  public static Environment bare(long uid, boolean terminal) {
    return new Environment(
        Map.of(), uid, Path.of("/home/ann"), Path.of("/here"), terminal, terminal, terminal);
  }
}
