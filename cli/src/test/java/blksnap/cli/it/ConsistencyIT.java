package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Seeds;
import blksnap.testing.Stamps;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Clients on several connections, with several requests in flight on each, stamp the blocks of two
 * devices and note when each write was sent and acknowledged. Every image must be one moment of
 * both devices, as long as it is held.
 */
@Timeout(240)
final class ConsistencyIT {
  private static final int CONNECTIONS = 4;
  private static final int DEPTH = 8;
  private static final int WRITERS = CONNECTIONS * DEPTH;
  private static final int BLOCKS = 2048; // of one device
  private static final int TAKES = 10;
  private static final int MAX_HELD = 4;
  private static final List<String> DEVICES = List.of("vm1", "vm2");

  /** Of both devices, one after the other. */
  private final Stamps stamps = new Stamps(DEVICES.size() * BLOCKS);

  private final AtomicBoolean stop = new AtomicBoolean();

  @Test
  void everyImageIsOneMomentOfBothDevicesUnderLoad(@TempDir Path directory) throws Exception {
    Seeds seeds = Seeds.ofRun();
    Random random = seeds.random();
    List<long[]> images = new ArrayList<>();
    long writes = 0;
    List<NbdSession> sessions = new ArrayList<>();
    try (var lab = new Lab(directory);
        ExecutorService threads = Executors.newFixedThreadPool(WRITERS)) {
      lab.load();
      for (String device : DEVICES) {
        Path disk = lab.sparse(device + ".img", (long) BLOCKS * Lab.BLOCK);
        lab.ok("attach", disk.toString(), "--name", device);
      }
      for (int i = 0; i < CONNECTIONS; i++) {
        sessions.add(NbdSession.open(lab.nbdSocket(), DEVICES.get(i % DEVICES.size())));
      }
      List<Future<Integer>> writers = new ArrayList<>();
      for (int i = 0; i < WRITERS; i++) {
        int writer = i;
        writers.add(threads.submit(() -> write(sessions, writer, seeds.random(writer))));
      }
      try {
        Map<String, long[]> held = new LinkedHashMap<>();
        for (int i = 0; i < TAKES; i++) {
          String name = "s" + i;
          lab.ok(
              "snapshot",
              "create",
              DEVICES.get(0),
              DEVICES.get(1),
              "--storage",
              directory.toString(),
              "--name",
              name,
              "--take");
          long[] shown = stamps(lab, name);
          images.add(shown);
          held.put(name, shown);
          if (held.size() > MAX_HELD || random.nextInt(3) == 0) {
            List<String> names = new ArrayList<>(held.keySet());
            String gone = names.get(random.nextInt(names.size()));
            lab.ok("snapshot", "destroy", gone);
            held.remove(gone);
          }
          for (Map.Entry<String, long[]> kept : held.entrySet()) {
            int changed = Arrays.mismatch(kept.getValue(), stamps(lab, kept.getKey()));
            assertThat(changed).as("changed block of %s, %s", kept.getKey(), seeds).isEqualTo(-1);
          }
        }
      } finally {
        stop.set(true);
        for (Future<Integer> writer : writers) {
          writes += writer.get();
        }
        for (NbdSession session : sessions) {
          session.close();
        }
      }
    }
    assertThat(writes).isGreaterThan(TAKES * WRITERS);
    for (int i = 0; i < images.size(); i++) {
      stamps.assertOneMoment(images.get(i), "s" + i + ", " + seeds);
    }
  }

  /** Each writer has blocks of its own, so that the writes of one block follow each other. */
  private int write(List<NbdSession> sessions, int writer, Random random) throws IOException {
    NbdSession session = sessions.get(writer / DEPTH);
    int device = writer / DEPTH % DEVICES.size();
    int lane = writer % DEPTH + writer / DEPTH / DEVICES.size() * DEPTH;
    int lanes = WRITERS / DEVICES.size();
    int done = 0;
    while (!stop.get()) {
      int block = random.nextInt(BLOCKS / lanes) * lanes + lane;
      long stamp = (long) ++done << 8 | writer;
      byte[] content = Stamps.content(stamp, Lab.BLOCK);
      stamps.sent(device * BLOCKS + block, stamp, System.nanoTime());
      session.write((long) block * Lab.BLOCK, content);
      stamps.answered(device * BLOCKS + block, System.nanoTime());
    }
    return done;
  }

  /** The stamp of every block of both images. */
  private static long[] stamps(Lab lab, String snapshot) throws IOException {
    long[] stamps = new long[DEVICES.size() * BLOCKS];
    for (int d = 0; d < DEVICES.size(); d++) {
      String image = DEVICES.get(d) + "@" + snapshot;
      long[] shown = Stamps.read(ByteBuffer.wrap(lab.content(image)), image);
      System.arraycopy(shown, 0, stamps, d * BLOCKS, BLOCKS);
    }
    return stamps;
  }
}
