package blksnap.linux;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.RealClients;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;

class ThreadPriorityTest {
  /** The nineteenth field; the name in brackets may hold blanks. */
  private static int niceness() throws IOException {
    String stat = Files.readString(Path.of("/proc/thread-self/stat"));
    return Integer.parseInt(stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1)[16]);
  }

  @Test
  void makesOneThreadYieldAndNoOther() throws Exception {
    int before = niceness();
    var nice =
        new FutureTask<>(() -> ThreadPriority.yieldToOthers() ? niceness() : Integer.MIN_VALUE);
    Thread.ofPlatform().start(nice);
    RealClients.require(nice.get() != Integer.MIN_VALUE, "this kernel does not let threads yield");
    assertThat(nice.get()).isEqualTo(Math.min(before + 4, 19));
    assertThat(niceness()).isEqualTo(before);
  }
}
