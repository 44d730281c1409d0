package blksnap.snapshot;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.Processes;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * A command of the user's, run by the shell with the engine's rights in a session of its own. What
 * it started in that session is ended with it at the timeout; what it leaves behind when it ends in
 * time is its own.
 */
final class HookCommand {
  /** Bytes of output that are kept, for the message of a failure. */
  private static final int KEPT_OUTPUT_BYTES = 4 << 10;

  /** Between asking the processes to end and ending them. */
  private static final long GRACE_MILLIS = 500;

  private final String kind;
  private final Process process;
  private final Patience patience;
  private final byte[] output = new byte[KEPT_OUTPUT_BYTES];
  private int outputBytes;

  private HookCommand(String kind, Process process, Patience patience) {
    this.kind = kind;
    this.process = process;
    this.patience = patience;
  }

  /**
   * Runs a command to its end.
   *
   * @param kind {@code pre} or {@code post}
   * @throws BlkSnapException {@code ETIMEDOUT} when it was ended, {@code ESHUTDOWN} when the engine
   *     goes, {@code EIO} when it failed, with the last line it printed
   */
  static void run(
      String kind,
      String command,
      Map<String, String> environment,
      long timeoutMillis,
      Patience patience)
      throws BlkSnapException {
    Process process;
    try {
      var builder =
          new ProcessBuilder(List.of("setsid", "/bin/sh", "-c", command))
              .directory(new File("/"))
              .redirectInput(Redirect.from(new File("/dev/null")))
              .redirectErrorStream(true);
      builder.environment().putAll(environment);
      process = builder.start();
    } catch (IOException e) {
      throw new BlkSnapException(
          Errno.EIO, "the " + kind + " command cannot be started: " + e.getMessage(), e);
    }
    new HookCommand(kind, process, patience).await(timeoutMillis);
  }

  private void await(long timeoutMillis) throws BlkSnapException {
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
    if (!patience.await(this::ended, deadline)) {
      end();
      throw patience.isOver()
          ? new BlkSnapException(
              Errno.ESHUTDOWN, "the " + kind + " command was ended, since the engine goes")
          : new BlkSnapException(
              Errno.ETIMEDOUT, "the " + kind + " command was ended after " + timeoutMillis + " ms");
    }
    if (process.exitValue() != 0) {
      String said = lastLine();
      throw new BlkSnapException(
          Errno.EIO,
          "the "
              + kind
              + " command ended with status "
              + process.exitValue()
              + (said.isEmpty() ? "" : ": " + said));
    }
  }

  private boolean ended(long millis) throws InterruptedException {
    boolean ended = process.waitFor(millis, TimeUnit.MILLISECONDS);
    try {
      drain(process.getInputStream());
    } catch (IOException e) {
      outputBytes = 0; // what it said is lost; how it ended is not
    }
    return ended;
  }

  /**
   * Takes what it printed without ever waiting for more, so that it does not stop at a full pipe.
   */
  private void drain(InputStream stream) throws IOException {
    for (int left = stream.available(); left > 0; left = stream.available()) {
      byte[] piece = stream.readNBytes(Math.min(left, KEPT_OUTPUT_BYTES));
      int kept = Math.min(outputBytes, KEPT_OUTPUT_BYTES - piece.length);
      System.arraycopy(output, outputBytes - kept, output, 0, kept);
      System.arraycopy(piece, 0, output, kept, piece.length);
      outputBytes = kept + piece.length;
    }
  }

  private String lastLine() {
    String text = new String(output, 0, outputBytes, StandardCharsets.UTF_8).strip();
    return text.substring(text.lastIndexOf('\n') + 1).strip();
  }

  private void end() {
    Processes.endGroup(process.pid(), false);
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(GRACE_MILLIS);
    new Patience(() -> false).await(this::ended, deadline);
    Processes.endGroup(process.pid(), true); // also what the shell left behind
  }
}
