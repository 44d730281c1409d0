package blksnap.sim;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.device.BlockDevice;
import blksnap.snapshot.Durability;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotPart;
import blksnap.testing.Seeds;
import blksnap.testing.Stamps;
import blksnap.tracker.TrackedDevice;
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
import org.junit.jupiter.api.io.TempDir;

/**
 * Writers that stamp blocks of two devices with unique numbers and note when each write was sent
 * and answered, while snapshots are taken and destroyed in any order. Each image must be one moment
 * of both devices, and stay so.
 */
class SnapshotUnderLoadTest {
  private static final int WRITERS = 32; // 4 connections, 8 requests deep
  private static final int BLOCK = Stamps.BLOCK;
  private static final int BLOCKS = 2048;
  private static final int TAKES = 24;
  private static final int MAX_SNAPSHOTS = 8;

  /** Of both devices, one after the other. */
  private final Stamps stamps = new Stamps(2 * BLOCKS);

  private final List<TrackedDevice> devices = new ArrayList<>();
  private final AtomicBoolean stop = new AtomicBoolean();

  @Test
  void everyImageIsOneMomentOfAllItsDevicesAndStaysSo(@TempDir Path directory) throws Exception {
    Seeds seeds = Seeds.ofRun();
    Random random = seeds.random();
    Map<Snapshot, long[]> shown = new LinkedHashMap<>();
    List<long[]> allShown = new ArrayList<>();
    long writes = 0;
    try (var world = new World(directory, 18, 16);
        ExecutorService threads = Executors.newFixedThreadPool(WRITERS)) {
      for (String name : List.of("vm1", "vm2")) {
        byte[] content = new byte[BLOCKS * BLOCK];
        Arrays.fill(content, (byte) 0); // stamp 0: not written yet
        devices.add(world.attach(name, content).device());
      }
      List<Future<Integer>> writers = new ArrayList<>();
      for (int i = 0; i < WRITERS; i++) {
        int writer = i;
        writers.add(threads.submit(() -> write(writer, seeds.random(writer))));
      }
      try {
        for (int i = 0; i < TAKES; i++) {
          Snapshot snapshot = world.take(Durability.PROCESS, "vm1", "vm2");
          shown.put(snapshot, read(snapshot));
          allShown.add(shown.get(snapshot));
          if (shown.size() == MAX_SNAPSHOTS || random.nextInt(2) == 0) {
            List<Snapshot> held = new ArrayList<>(shown.keySet());
            // The newest more often: while it goes, writers preserve into its neighbour.
            Snapshot gone =
                random.nextBoolean() ? held.getLast() : held.get(random.nextInt(held.size()));
            world.snapshots().destroy(gone);
            shown.remove(gone);
            for (Map.Entry<Snapshot, long[]> kept : shown.entrySet()) {
              assertSame(kept.getValue(), read(kept.getKey()), seeds);
            }
          }
        }
      } finally {
        stop.set(true);
        for (Future<Integer> writer : writers) {
          writes += writer.get();
        }
      }
      for (Map.Entry<Snapshot, long[]> kept : shown.entrySet()) {
        assertSame(kept.getValue(), read(kept.getKey()), seeds);
      }
    }
    assertThat(writes).isGreaterThan(TAKES);
    for (int i = 0; i < allShown.size(); i++) {
      stamps.assertOneMoment(allShown.get(i), "image " + i + ", " + seeds);
    }
  }

  /** Each writer has blocks of its own, so that the writes of one block follow each other. */
  private int write(int writer, Random random) throws IOException {
    int done = 0;
    ByteBuffer buffer = ByteBuffer.allocateDirect(BLOCK);
    while (!stop.get()) {
      int block = random.nextInt(2 * BLOCKS / WRITERS) * WRITERS + writer;
      long stamp = (long) ++done << 8 | writer;
      buffer.clear().put(Stamps.content(stamp, BLOCK)).flip();
      stamps.sent(block, stamp, System.nanoTime());
      devices.get(block / BLOCKS).write((long) (block % BLOCKS) * BLOCK, buffer);
      stamps.answered(block, System.nanoTime());
    }
    return done;
  }

  /** The stamp of every block of both images. */
  private static long[] read(Snapshot snapshot) throws IOException {
    long[] stamps = new long[2 * BLOCKS];
    List<String> names = List.of("vm1", "vm2");
    for (int d = 0; d < names.size(); d++) {
      var part = (SnapshotPart.Taken) snapshot.part(names.get(d)).orElseThrow();
      BlockDevice image = part.image();
      ByteBuffer buffer = ByteBuffer.allocateDirect(64 * BLOCK);
      for (int block = 0; block < BLOCKS; block += 64) {
        image.read((long) block * BLOCK, buffer.clear());
        long[] shown = Stamps.read(buffer.flip(), "an image of " + names.get(d) + " from " + block);
        System.arraycopy(shown, 0, stamps, d * BLOCKS + block, shown.length);
      }
    }
    return stamps;
  }

  private static void assertSame(long[] before, long[] after, Seeds seeds) {
    int at = Arrays.mismatch(before, after);
    assertThat(at).as("an image changed, block %d, %s", at, seeds).isEqualTo(-1);
  }
}
