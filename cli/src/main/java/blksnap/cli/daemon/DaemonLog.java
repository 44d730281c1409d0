package blksnap.cli.daemon;

import blksnap.cli.output.LogText;
import blksnap.log.LogRing;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.Set;

/**
 * Where a daemon's log lines go besides its ring: standard error. When that is a file of our own it
 * stays below two times its limit, whatever clients do for years: the older half is kept beside it.
 * A line that cannot be written is lost, and nothing else. Safe from many threads.
 */
final class DaemonLog {
  private final PrintWriter err;
  private final Optional<Path> file;
  private final long mostBytes;
  private long bytes;

  /**
   * @param file what {@code err} writes to, opened for appending; empty when it is somebody else's
   * @param mostBytes after which the file begins anew
   */
  DaemonLog(PrintWriter err, Optional<Path> file, long mostBytes) {
    this.err = err;
    this.file = file;
    this.mostBytes = mostBytes;
    this.bytes = file.map(DaemonLog::size).orElse(0L);
  }

  private static long size(Path file) {
    try {
      return Files.size(file);
    } catch (IOException _) {
      return 0; // it grows from where we know it
    }
  }

  synchronized void add(LogRing.Line line) {
    if (line.level() == LogRing.Level.DEBUG) {
      return;
    }
    String text = LogText.stamped(line);
    if (file.isPresent() && bytes > mostBytes) {
      turnOver(file.get());
    }
    err.println(text);
    err.flush();
    bytes += text.getBytes(StandardCharsets.UTF_8).length + 1;
  }

  /** The file stays the same one, because standard error leads to it. */
  private void turnOver(Path log) {
    bytes = 0; // also when it fails: it is tried again after as much
    Path old = log.resolveSibling(log.getFileName() + ".1");
    try (FileChannel channel =
        FileChannel.open(log, Set.of(StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS))) {
      try {
        Files.copy(log, old, StandardCopyOption.REPLACE_EXISTING);
      } finally {
        channel.truncate(0); // with a full disk above all
      }
    } catch (IOException e) {
      err.println("blksnap: the log does not begin anew: " + e);
    }
  }
}
