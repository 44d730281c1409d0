package blksnap.linux;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.error.BlkSnapException;
import blksnap.testing.Commands;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProcessesTest {
  @Test
  void knowsTheUserItRunsAs() throws IOException {
    assertThat(Processes.effectiveUser()).isEqualTo(Long.parseLong(Commands.run("id", "-u")));
  }

  @Test
  void tellsTheLivingFromTheDead() throws IOException, InterruptedException {
    Process child = new ProcessBuilder("cat").start();
    assertThat(Processes.isAlive(child.pid())).isTrue();
    child.getOutputStream().close();
    child.waitFor();
    assertThat(Processes.isAlive(child.pid())).isFalse();
  }

  @Test
  void startsASessionOnceAndIsRefusedASecondTime(@TempDir Path directory) throws IOException {
    Path result = directory.resolve("result");
    Commands.run(
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "--enable-native-access=ALL-UNNAMED",
        "-cp",
        System.getProperty("java.class.path"),
        SessionStarter.class.getName(),
        result.toString());
    assertThat(Files.readString(result)).isEqualTo("own session: true, again: EPERM");
  }

  /** Runs as a process of its own, because the tests' process must stay in its session. */
  static final class SessionStarter {
    private SessionStarter() {}

    public static void main(String[] arguments) throws IOException {
      boolean own = Processes.startSession() == ProcessHandle.current().pid();
      String again;
      try {
        again = "session " + Processes.startSession();
      } catch (BlkSnapException e) {
        again = e.errno().name();
      }
      Files.writeString(Path.of(arguments[0]), "own session: " + own + ", again: " + again);
    }
  }
}
