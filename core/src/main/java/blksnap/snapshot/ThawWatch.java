package blksnap.snapshot;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A small process that stands in a file system while it is frozen, and thaws it when this process
 * ends without having done so, however it ends, or when the time is up. So a killed engine leaves
 * nothing frozen.
 *
 * <p>It ends when its standard input does; a process that dies while the kernel is still freezing
 * for it closes that input only afterwards. It is not asked to do anything as long as all goes
 * well: thawing late could thaw what another program has frozen since.
 */
final class ThawWatch {
  /** Beyond the timeout of the freeze, so that the engine's own thaw comes first. */
  private static final long SLACK_SECONDS = 2;

  private static final long END_MILLIS = 5_000;

  private static final String READY = "ready";
  private static final String DONE = "done\n";

  /** The first argument is the time in seconds; the working directory is in the file system. */
  private static final String SCRIPT =
      """
      trap '' HUP INT TERM PIPE
      PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin
      for program in fsfreeze timeout head; do
        command -v "$program" >/dev/null || { echo "there is no $program"; exit 1; }
      done
      echo ready
      word=$(timeout -s KILL "$1" head -n 1)
      ended=$?
      [ "$word" = done ] && exit
      fsfreeze --unfreeze .
      [ "$ended" = 0 ] && exit
      word=$(head -n 1)
      [ "$word" = done ] || fsfreeze --unfreeze .
      """;

  private final Path mountPoint;
  private final Process process;

  private ThawWatch(Path mountPoint, Process process) {
    this.mountPoint = mountPoint;
    this.process = process;
  }

  /**
   * Starts one; to be awaited before anything is frozen.
   *
   * @throws BlkSnapException {@code ENOTSUP} when it cannot be started: nothing may be frozen then
   */
  static ThawWatch start(Path mountPoint, long timeoutMillis) throws BlkSnapException {
    long seconds = TimeUnit.MILLISECONDS.toSeconds(timeoutMillis) + 1 + SLACK_SECONDS;
    try {
      var builder =
          new ProcessBuilder(
                  List.of(
                      "setsid", "/bin/sh", "-c", SCRIPT, "blksnap-thaw", Long.toString(seconds)))
              .directory(mountPoint.toFile())
              .redirectError(Redirect.DISCARD);
      return new ThawWatch(mountPoint, builder.start());
    } catch (IOException e) {
      BlkSnapException refused = refusal(mountPoint, String.valueOf(e.getMessage()));
      refused.addSuppressed(e);
      throw refused;
    }
  }

  private static BlkSnapException refusal(Path mountPoint, String why) {
    return new BlkSnapException(
            Errno.ENOTSUP,
            mountPoint + " is not frozen, as nobody could thaw it if the engine died: " + why)
        .withHint("it takes sh, setsid, timeout, head and fsfreeze");
  }

  /** Waits until it stands. */
  void awaitReady(Patience patience, long deadlineNanos) throws BlkSnapException {
    var said = new StringBuilder();
    boolean answered =
        patience.await(
            millis -> {
              boolean ended = process.waitFor(millis, TimeUnit.MILLISECONDS);
              return hear(said) || ended;
            },
            deadlineNanos);
    String line = said.toString().strip();
    if (!answered || !line.equals(READY)) {
      throw refusal(mountPoint, line.isEmpty() ? "the watch does not answer" : line);
    }
  }

  /** Takes what it printed so far; true once that is a line. */
  private boolean hear(StringBuilder said) {
    try {
      InputStream stream = process.getInputStream();
      byte[] bytes = stream.readNBytes(stream.available());
      said.append(new String(bytes, StandardCharsets.US_ASCII));
    } catch (IOException e) {
      said.append(e.getMessage()).append('\n');
    }
    return said.indexOf("\n") >= 0;
  }

  /** Sends it away: the file system is thawed, or was never frozen. */
  void dismiss() {
    try (OutputStream word = process.getOutputStream()) {
      word.write(DONE.getBytes(StandardCharsets.US_ASCII));
    } catch (IOException e) {
      // It is gone already, its time being up.
    }
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(END_MILLIS);
    new Patience(() -> false)
        .await(millis -> process.waitFor(millis, TimeUnit.MILLISECONDS), deadline);
  }

  /** Has it thaw the file system, which this process could not. */
  void leaveTheThawToIt() {
    try {
      process.getOutputStream().close();
    } catch (IOException e) {
      // It is gone already, its time being up.
    }
  }
}
