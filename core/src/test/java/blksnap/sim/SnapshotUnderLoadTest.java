package blksnap.sim;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.device.BlockDevice;
import blksnap.snapshot.Durability;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotPart;
import blksnap.testing.Seeds;
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
  private static final int BLOCK = 4096;
  private static final int BLOCKS = 2048;
  private static final int TAKES = 24;
  private static final int MAX_SNAPSHOTS = 8;

  /** One write: its block over both devices, its stamp, and when it was under way. */
  private record Stamp(int block, long number, long sent, long answered) {}

  private final List<TrackedDevice> devices = new ArrayList<>();
  private final AtomicBoolean stop = new AtomicBoolean();

  @Test
  void everyImageIsOneMomentOfAllItsDevicesAndStaysSo(@TempDir Path directory) throws Exception {
    Seeds seeds = Seeds.fromPropertyOrRandom();
    Random random = seeds.random();
    Map<Snapshot, long[]> shown = new LinkedHashMap<>();
    List<long[]> allShown = new ArrayList<>();
    List<Stamp> writes = new ArrayList<>();
    try (var world = new World(directory, 18, 16);
        ExecutorService threads = Executors.newFixedThreadPool(WRITERS)) {
      for (String name : List.of("vm1", "vm2")) {
        byte[] content = new byte[BLOCKS * BLOCK];
        Arrays.fill(content, (byte) 0); // stamp 0: not written yet
        devices.add(world.attach(name, content).device());
      }
      List<Future<List<Stamp>>> writers = new ArrayList<>();
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
        for (Future<List<Stamp>> writer : writers) {
          writes.addAll(writer.get());
        }
      }
      for (Map.Entry<Snapshot, long[]> kept : shown.entrySet()) {
        assertSame(kept.getValue(), read(kept.getKey()), seeds);
      }
    }
    assertThat(writes).hasSizeGreaterThan(TAKES);
    Map<Integer, List<Stamp>> byBlock = new LinkedHashMap<>();
    writes.forEach(w -> byBlock.computeIfAbsent(w.block, key -> new ArrayList<>()).add(w));
    for (long[] image : allShown) {
      assertOneMoment(image, byBlock, seeds);
    }
  }

  /** Each writer has blocks of its own, so that the writes of one block follow each other. */
  private List<Stamp> write(int writer, Random random) throws IOException {
    List<Stamp> done = new ArrayList<>();
    ByteBuffer buffer = ByteBuffer.allocateDirect(BLOCK);
    long number = 1;
    while (!stop.get()) {
      int block = random.nextInt(2 * BLOCKS / WRITERS) * WRITERS + writer;
      long stamp = number++ << 8 | writer;
      for (int at = 0; at < BLOCK; at += Long.BYTES) {
        buffer.putLong(at, stamp);
      }
      long sent = System.nanoTime();
      devices.get(block / BLOCKS).write((long) (block % BLOCKS) * BLOCK, buffer.clear());
      done.add(new Stamp(block, stamp, sent, System.nanoTime()));
    }
    return done;
  }

  /** The stamp of every block; a block must not be a mixture of two. */
  private static long[] read(Snapshot snapshot) throws IOException {
    long[] stamps = new long[2 * BLOCKS];
    List<String> names = List.of("vm1", "vm2");
    for (int d = 0; d < names.size(); d++) {
      var part = (SnapshotPart.Taken) snapshot.part(names.get(d)).orElseThrow();
      BlockDevice image = part.image();
      ByteBuffer buffer = ByteBuffer.allocateDirect(64 * BLOCK);
      for (int block = 0; block < BLOCKS; block += 64) {
        image.read((long) block * BLOCK, buffer.clear());
        for (int i = 0; i < 64; i++) {
          long stamp = buffer.getLong(i * BLOCK);
          for (int at = 0; at < BLOCK; at += Long.BYTES) {
            if (buffer.getLong(i * BLOCK + at) != stamp) {
              throw new AssertionError("block " + (block + i) + " of an image mixes two writes");
            }
          }
          stamps[d * BLOCKS + block + i] = stamp;
        }
      }
    }
    return stamps;
  }

  private static void assertSame(long[] before, long[] after, Seeds seeds) {
    int at = Arrays.mismatch(before, after);
    assertThat(at).as("an image changed, block %d, %s", at, seeds).isEqualTo(-1);
  }

  /**
   * There is a time after every write that it shows was sent, and before any that it lacks was
   * answered.
   */
  private static void assertOneMoment(
      long[] image, Map<Integer, List<Stamp>> byBlock, Seeds seeds) {
    long after = Long.MIN_VALUE;
    long before = Long.MAX_VALUE;
    for (int block = 0; block < image.length; block++) {
      List<Stamp> writes = byBlock.getOrDefault(block, List.of());
      int shown = -1;
      for (int i = 0; i < writes.size(); i++) {
        if (writes.get(i).number == image[block]) {
          shown = i;
        }
      }
      assertThat(shown >= 0 || image[block] == 0)
          .as("block %d shows a stamp that was written, %s", block, seeds)
          .isTrue();
      if (shown >= 0) {
        after = Math.max(after, writes.get(shown).sent);
      }
      if (shown + 1 < writes.size()) {
        before = Math.min(before, writes.get(shown + 1).answered);
      }
    }
    assertThat(after).as("an image mixes moments, %s", seeds).isLessThan(before);
  }
}
