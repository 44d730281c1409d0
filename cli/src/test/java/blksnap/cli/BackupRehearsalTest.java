package blksnap.cli;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.command.Directories;
import blksnap.cli.command.Environment;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class BackupRehearsalTest {
  @TempDir private Path directory;

  /** What fails would be missing in the archive, and nobody would notice but by the time. */
  @Test
  void everyCommandOfTheRehearsalSucceeds() throws IOException {
    var engine = new Directories(directory.resolve("run"), directory.resolve("state"));
    var environment =
        new Environment(
            Map.of(
                Directories.RUN_VARIABLE, engine.run().toString(),
                Directories.STATE_VARIABLE, engine.state().toString()),
            0,
            directory,
            directory,
            false,
            false,
            false);
    var failed = new ArrayList<String>();
    var words = new ArrayList<String>();
    BackupRehearsal.run(
        directory,
        engine,
        line -> {
          CommandRun run = CommandRun.overSocket(environment, line.toArray(String[]::new));
          words.add(line.getFirst());
          if (run.code() != 0) {
            failed.add(line + ": " + run.err());
          }
        });
    assertThat(failed).isEmpty();
    assertThat(words).containsAll(List.of("backup", "restore", "verify", "prune"));
  }
}
