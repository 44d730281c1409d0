package blksnap.engine;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.ctrl.CtrlRequest;
import blksnap.linux.ThreadPriority;
import blksnap.nbd.NbdTestClient;
import blksnap.testing.Bytes;
import blksnap.testing.RealClients;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Who copies an image leaves the machine to who uses the original. */
@Timeout(60)
class ImagesYieldTest {
  private static final int SIZE = 4 << 20;
  private static final int READ = 0;

  /** As nice as can be. */
  private static final int NICEST = 19;

  @TempDir private Path directory;

  private TestEngine engine;

  @BeforeEach
  void take() throws IOException {
    engine = new TestEngine(directory);
    engine.attach("disk", Bytes.pattern(1, 0, SIZE));
    engine.create("s", "disk");
    engine.ask(new CtrlRequest.SnapshotTake("s"));
  }

  @AfterEach
  void close() throws IOException {
    engine.close();
  }

  /** Of every thread that serves an NBD client, its niceness, by its number. */
  private static Map<String, Integer> serving() throws IOException {
    var found = new TreeMap<String, Integer>();
    try (DirectoryStream<Path> tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
      for (Path task : tasks) {
        try {
          Path stat = task.resolve("stat");
          if (Files.readString(stat).contains("(blksnap-nbd-")) {
            found.put(String.valueOf(task.getFileName()), niceness(stat));
          }
        } catch (IOException _) {
          // it has ended
        }
      }
    }
    return found;
  }

  /** The nineteenth field; the name in brackets may hold blanks. */
  private static int niceness(Path stat) throws IOException {
    String text = Files.readString(stat);
    return Integer.parseInt(text.substring(text.lastIndexOf(')') + 2).split(" ", -1)[16]);
  }

  /** Asks for so much that several threads are held up by a client that reads nothing yet. */
  private Map<String, Integer> startedBy(String export) throws IOException {
    Set<String> before = serving().keySet();
    NbdTestClient client = engine.client(export);
    for (int i = 0; i < 4; i++) {
      client.request(0, READ, i, 0, SIZE);
    }
    Map<String, Integer> started = serving();
    while (started.size() < before.size() + 3) {
      Thread.onSpinWait();
      started = serving();
    }
    for (int i = 0; i < 4; i++) {
      assertThat(client.reply(SIZE).error()).isZero();
    }
    started = serving(); // when each of them has answered, or waits for its turn to read
    started.keySet().removeAll(before);
    return started;
  }

  private static boolean mayYield() throws Exception {
    var may = new FutureTask<>(ThreadPriority::yieldToOthers);
    Thread.ofPlatform().start(may);
    return may.get();
  }

  @Test
  void threadsThatServeAnImageAreNicerThanThoseOfADevice() throws Exception {
    RealClients.require(mayYield(), "this kernel does not let threads yield");
    int ordinary = niceness(Path.of("/proc/self/stat")); // of the first thread
    assertThat(startedBy("disk").values()).hasSizeGreaterThan(2).containsOnly(ordinary);
    assertThat(startedBy("disk@s").values())
        .hasSizeGreaterThan(2)
        .containsOnly(Math.min(ordinary + 4, NICEST));
  }
}
