package blksnap.snapshot;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * What is done around a take so that its images are more than crash-consistent.
 *
 * @param freeze mount points whose file systems rest at the instant, frozen in this order
 * @param pre a command for the shell, run before
 * @param post a command for the shell, run after; always when {@code pre} was begun
 * @param timeoutMillis longest time for each command, and for freezing and the instant together
 * @param bestEffort take it even if a file system cannot be frozen or {@code pre} fails
 */
public record TakeHooks(
    List<Path> freeze,
    Optional<String> pre,
    Optional<String> post,
    long timeoutMillis,
    boolean bestEffort) {
  public static final long DEFAULT_TIMEOUT_MILLIS = 10_000;
  public static final long MIN_TIMEOUT_MILLIS = 100;
  public static final long MAX_TIMEOUT_MILLIS = 600_000;

  /** Most file systems frozen for one take. */
  public static final int MAX_FILE_SYSTEMS = 64;

  /** Longest command, in characters: what Linux takes as one argument is about twice that. */
  public static final int MAX_COMMAND_CHARS = 64 << 10;

  /** Nothing. */
  public static final TakeHooks NONE =
      new TakeHooks(List.of(), Optional.empty(), Optional.empty(), DEFAULT_TIMEOUT_MILLIS, false);

  public TakeHooks {
    freeze = List.copyOf(freeze);
  }

  /**
   * @throws BlkSnapException {@code EINVAL} for what no take can be asked
   */
  void check() throws BlkSnapException {
    if (timeoutMillis < MIN_TIMEOUT_MILLIS || timeoutMillis > MAX_TIMEOUT_MILLIS) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "a freeze timeout of "
              + timeoutMillis
              + " ms is not from "
              + MIN_TIMEOUT_MILLIS
              + " to "
              + MAX_TIMEOUT_MILLIS);
    }
    if (freeze.size() > MAX_FILE_SYSTEMS) {
      throw new BlkSnapException(
          Errno.EINVAL,
          freeze.size() + " file systems are more than the " + MAX_FILE_SYSTEMS + " of one take");
    }
    checkCommand("pre", pre);
    checkCommand("post", post);
  }

  private static void checkCommand(String kind, Optional<String> command) throws BlkSnapException {
    if (command.isPresent()
        && (command.get().isBlank() || command.get().length() > MAX_COMMAND_CHARS)) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "the "
              + kind
              + " command has "
              + command.get().length()
              + " characters, not 1 to "
              + MAX_COMMAND_CHARS
              + " with one that is not blank");
    }
  }
}
