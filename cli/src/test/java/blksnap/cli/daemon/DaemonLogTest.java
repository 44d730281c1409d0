package blksnap.cli.daemon;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.log.LogRing;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class DaemonLogTest {
  private static final int MOST_BYTES = 2_000;

  @TempDir private Path directory;

  private static LogRing.Line line(LogRing.Level level, int number) {
    return new LogRing.Line(number, 0, level, "line " + number + " of " + "x".repeat(50));
  }

  private static PrintWriter appendTo(Path file) throws IOException {
    return new PrintWriter(
        new FileOutputStream(file.toFile(), true), false, StandardCharsets.UTF_8);
  }

  @Test
  void staysBoundedAndKeepsTheLatestLines() throws IOException {
    Path file = directory.resolve("daemon.log");
    try (PrintWriter err = appendTo(file)) {
      var log = new DaemonLog(err, Optional.of(file), MOST_BYTES);
      for (int i = 0; i < 1_000; i++) {
        log.add(line(LogRing.Level.INFO, i));
        assertThat(Files.size(file)).isLessThan(MOST_BYTES + 200);
      }
    }
    String kept = Files.readString(directory.resolve("daemon.log.1")) + Files.readString(file);
    assertThat(kept).contains("line 999 ", "line 980 ").doesNotContain("line 900 ");
    assertThat(kept.lines().toList()).doesNotHaveDuplicates().allMatch(l -> l.contains("line 9"));
  }

  @Test
  void leavesOutDebugLinesAndLeavesAnothersFileAlone() throws IOException {
    Path file = directory.resolve("elsewhere");
    try (PrintWriter err = appendTo(file)) {
      var log = new DaemonLog(err, Optional.empty(), 10);
      log.add(line(LogRing.Level.DEBUG, 1));
      log.add(line(LogRing.Level.INFO, 2));
      log.add(line(LogRing.Level.INFO, 3));
    }
    assertThat(Files.readAllLines(file)).hasSize(2);
    assertThat(directory.resolve("elsewhere.1")).doesNotExist();
  }

  @Test
  void losesLinesAndNothingElseWhenTheDiskIsFull() throws IOException {
    try (PrintWriter err = appendTo(Path.of("/dev/full"))) {
      var log = new DaemonLog(err, Optional.empty(), MOST_BYTES);
      log.add(line(LogRing.Level.ERROR, 1));
      log.add(line(LogRing.Level.ERROR, 2));
      assertThat(err.checkError()).isTrue();
    }
  }
}
