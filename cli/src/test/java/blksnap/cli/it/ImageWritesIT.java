package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Bytes;
import blksnap.testing.Seeds;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Images that are written to, beside originals that are. */
@Timeout(180)
final class ImageWritesIT {
  private static final int KIB = 1 << 10;
  private static final int MIB = 1 << 20;
  private static final int SIZE = 16 * MIB;
  private static final int CHUNK = 256 * KIB;

  @TempDir private Path directory;

  private final Seeds seeds = Seeds.ofRun();
  private Lab lab;

  @BeforeEach
  void attach() throws Exception {
    lab = new Lab(directory);
    lab.load();
    lab.ok("attach", lab.disk("vm1.img", SIZE).toString(), "--name", "vm1");
  }

  @AfterEach
  void end() {
    lab.close();
  }

  private void take(String name) {
    lab.ok(
        "snapshot", "create", "vm1", "--storage", directory.toString(), "--name", name, "--take");
  }

  private NbdSession open(String export) throws IOException {
    return NbdSession.open(lab.nbdSocket(), export);
  }

  /** Writes the same to the export and to the model of what it must hold. */
  private static void write(NbdSession session, byte[] model, int at, byte[] content)
      throws IOException {
    session.write(at, content);
    System.arraycopy(content, 0, model, at, content.length);
  }

  @Test
  void writesAcrossTheBordersOfChunksAreReadBackAndTouchNothingElse() throws Exception {
    take("s");
    byte[] original = lab.content("vm1");
    byte[] image = original.clone();
    try (NbdSession session = open("vm1@s")) {
      for (int at : new int[] {126 * KIB, (2048 + 126) * KIB, (4096 + 126) * KIB}) {
        write(session, image, at, Bytes.pattern(1, at, 300 * KIB));
        write(session, image, at + MIB - 1, Bytes.pattern(2, at, 2));
      }
      for (int chunk = 40; chunk < 44; chunk++) {
        write(session, image, chunk * CHUNK, Bytes.pattern(3, chunk, Bytes.SECTOR));
        int last = (chunk + 1) * CHUNK - Bytes.SECTOR;
        write(session, image, last, Bytes.pattern(4, chunk, Bytes.SECTOR));
      }
      write(session, image, 50 * CHUNK - Bytes.SECTOR, Bytes.pattern(5, 0, 2 * Bytes.SECTOR));
      assertThat(Arrays.mismatch(session.readAll(), image)).isEqualTo(-1);
    }
    assertThat(Arrays.mismatch(lab.content("vm1"), original)).isEqualTo(-1);
    try (NbdSession session = open("vm1")) {
      for (int chunk = 39; chunk < 45; chunk++) {
        write(session, original, chunk * CHUNK, Bytes.pattern(6, chunk, Bytes.SECTOR));
        int last = (chunk + 1) * CHUNK - Bytes.SECTOR;
        write(session, original, last, Bytes.pattern(7, chunk, Bytes.SECTOR));
      }
    }
    assertThat(Arrays.mismatch(lab.content("vm1@s"), image)).isEqualTo(-1);
    assertThat(Arrays.mismatch(lab.content("vm1"), original)).isEqualTo(-1);
  }

  @Test
  void anImageAndItsOriginalAreWrittenAtOnceAndStayApart() throws Exception {
    for (int round = 0; round < 3; round++) {
      take("s");
      byte[] original = lab.content("vm1");
      byte[] image = original.clone();
      try (NbdSession device = open("vm1");
          NbdSession view = open("vm1@s");
          ExecutorService threads = Executors.newFixedThreadPool(2)) {
        int part = 2 * round;
        Future<?> first = threads.submit(() -> scribble(device, original, seeds.random(part)));
        Future<?> second = threads.submit(() -> scribble(view, image, seeds.random(part + 1)));
        assertThat(first.get()).isEqualTo(second.get());
      }
      assertThat(Arrays.mismatch(lab.content("vm1"), original)).as("%s", seeds).isEqualTo(-1);
      assertThat(Arrays.mismatch(lab.content("vm1@s"), image)).as("%s", seeds).isEqualTo(-1);
      lab.ok("snapshot", "destroy", "s");
      assertThat(Arrays.mismatch(lab.content("vm1"), original)).as("%s", seeds).isEqualTo(-1);
    }
  }

  private static int scribble(NbdSession session, byte[] model, Random random) throws IOException {
    int writes = 400;
    for (int i = 0; i < writes; i++) {
      byte[] content = new byte[1 + random.nextInt(20 * KIB)];
      random.nextBytes(content);
      write(session, model, random.nextInt(SIZE - content.length), content);
    }
    return writes;
  }

  @Test
  void destroyingUnderWritersAndReadersOfImagesEndsAndHarmsNoOriginal() throws Exception {
    AtomicBoolean stop = new AtomicBoolean();
    byte[] model = lab.content("vm1");
    try (NbdSession device = open("vm1");
        ExecutorService threads = Executors.newCachedThreadPool()) {
      Future<Integer> writer =
          threads.submit(() -> {
            int rounds = 0;
            while (!stop.get()) {
              scribble(device, model, seeds.random(rounds++));
            }
            return rounds;
          });
      try {
        for (int round = 0; round < 6; round++) {
          String name = "s" + round;
          take(name);
          List<Future<Integer>> users = new ArrayList<>();
          for (int i = 0; i < 4; i++) {
            NbdSession image = open("vm1@" + name);
            boolean writes = i % 2 == 0;
            Random choices = seeds.random(100 + 4 * round + i);
            users.add(threads.submit(() -> useUntilGone(image, writes, choices)));
          }
          Lab.pause(150);
          lab.ok("snapshot", "destroy", name);
          for (Future<Integer> user : users) {
            assertThat(user.get()).as("requests before the end, %s", seeds).isPositive();
          }
        }
      } finally {
        stop.set(true);
        assertThat(writer.get()).isPositive();
      }
      assertThat(Arrays.mismatch(device.readAll(), model)).as("%s", seeds).isEqualTo(-1);
    }
    lab.unload();
  }

  /** Requests until one fails, which is what happens when the image goes. */
  private static int useUntilGone(NbdSession image, boolean writes, Random random)
      throws IOException {
    int requests = 0;
    try (image) {
      while (true) {
        int at = random.nextInt(SIZE - 64 * KIB);
        if (writes) {
          image.write(at, new byte[1 + random.nextInt(32 * KIB)]);
        } else {
          image.read(at, 1 + random.nextInt(64 * KIB));
        }
        requests++;
      }
    } catch (IOException e) {
      return requests;
    }
  }
}
