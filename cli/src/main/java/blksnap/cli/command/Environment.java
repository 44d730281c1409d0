package blksnap.cli.command;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * What the process was given by whoever started it; tests make their own.
 *
 * @param uid of the user, 0 for root
 * @param terminalIn whether standard input is a terminal; the same for the other two
 */
public record Environment(
    Map<String, String> variables,
    long uid,
    Path home,
    Path workingDirectory,
    boolean terminalIn,
    boolean terminalOut,
    boolean terminalErr) {

  /** The first one that is set counts. */
  private static final List<String> LOCALE_VARIABLES = List.of("LC_ALL", "LC_CTYPE", "LANG");

  public Environment {
    variables = Map.copyOf(variables);
  }

  /** That of this process. */
  public static Environment ofProcess() {
    return new Environment(
        System.getenv(),
        ownUid(),
        Path.of(System.getProperty("user.home", "/")),
        Path.of(System.getProperty("user.dir", "/")),
        isTerminal(0),
        isTerminal(1),
        isTerminal(2));
  }

  /** The value of a variable; one that is set to nothing counts as not set. */
  public Optional<String> variable(String name) {
    return Optional.ofNullable(variables.get(name)).filter(value -> !value.isEmpty());
  }

  /** The same with one variable set. */
  public Environment with(String name, String value) {
    var changed = new HashMap<>(variables);
    changed.put(name, value);
    return new Environment(
        changed, uid, home, workingDirectory, terminalIn, terminalOut, terminalErr);
  }

  /** The same for a command whose input nobody types. */
  public Environment withoutInput() {
    return new Environment(variables, uid, home, workingDirectory, false, terminalOut, terminalErr);
  }

  /**
   * Whether text may hold more than ASCII: what the first of the locale's variables that is set
   * says.
   */
  public boolean isUtf8() {
    for (String name : LOCALE_VARIABLES) {
      Optional<String> locale = variable(name);
      if (locale.isPresent()) {
        return locale.get().toLowerCase(Locale.ROOT).replace("-", "").contains("utf8");
      }
    }
    return false;
  }

  /**
   * A path as the user wrote it, made absolute; links and {@code ..} are left for the engine to
   * follow.
   */
  public Path absolute(Path path) {
    return workingDirectory.resolve(path);
  }

  private static long ownUid() {
    try {
      return ((Number) Files.getAttribute(Path.of("/proc/self"), "unix:uid")).longValue();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot find out who runs this: /proc is not mounted", e);
    }
  }

  /**
   * Asks the kernel's own list of open files: {@code System.console()} speaks for two of them at
   * once.
   */
  private static boolean isTerminal(int descriptor) {
    try {
      String target = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor)).toString();
      return target.startsWith("/dev/pts/")
          || target.startsWith("/dev/tty")
          || target.equals("/dev/console");
    } catch (IOException e) {
      return false; // closed
    }
  }
}
