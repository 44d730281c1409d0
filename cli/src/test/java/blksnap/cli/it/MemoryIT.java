package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Seeds;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** However many clients offer however much, the daemon's memory stays bounded and others go on. */
@Timeout(300)
final class MemoryIT {
  private static final int MIB = 1 << 20;
  private static final int CLIENTS = 1000;
  private static final long FLOODED_BYTES = 2L * Flood.PAYLOAD_BYTES;

  /** Heap, direct memory and threads of the daemon together, as {@code security.md} says. */
  private static final long MOST_RESIDENT_BYTES = 900L * MIB;

  private static final int ROUNDS = 5;
  private static final int[] SIZES = {Lab.BLOCK, 64 << 10, MIB, 3 * MIB};

  @TempDir private Path directory;

  private final Seeds seeds = Seeds.ofRun();
  private Lab lab;

  @BeforeEach
  void load() throws Exception {
    lab = new Lab(directory);
    lab.load();
  }

  @AfterEach
  void end() {
    lab.close();
  }

  /** Most memory that a process ever had resident. */
  private static long peakBytes(long pid) throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/status"))) {
      if (line.startsWith("VmHWM:")) {
        return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
      }
    }
    throw new IOException("no peak of process " + pid);
  }

  private static long threads(long pid) throws IOException {
    try (var tasks = Files.list(Path.of("/proc/" + pid + "/task"))) {
      return tasks.count();
    }
  }

  @Test
  void servesABystanderWithinItsMemoryWhileAThousandClientsOfferTheirMost() throws Exception {
    lab.ok("attach", lab.sparse("flooded.img", FLOODED_BYTES).toString(), "--name", "flooded");
    lab.ok("attach", lab.sparse("calm.img", 16 * MIB).toString(), "--name", "calm");
    long pid = lab.daemon().pid();
    Random random = seeds.random();
    long threads = threads(pid);
    try (NbdSession calm = NbdSession.open(lab.nbdSocket(), "calm");
        Flood flood = new Flood(lab.nbdSocket(), "flooded", FLOODED_BYTES, CLIENTS)) {
      flood.begin();
      Lab.until("the flood is on", () -> flood.sentBytes() > 4L * Flood.PAYLOAD_BYTES);
      for (int round = 0; round < ROUNDS; round++) {
        for (int size : SIZES) {
          byte[] content = new byte[size];
          random.nextBytes(content);
          long offset = (long) random.nextInt((16 * MIB - size) / Lab.BLOCK) * Lab.BLOCK;
          calm.write(offset, content);
          assertThat(calm.read(offset, size)).as("%s", seeds).isEqualTo(content);
        }
      }
      flood.check();
      assertThat(lab.ok("devices", "-o", "plain")).contains("calm\t");
      assertThat(peakBytes(pid)).isLessThan(MOST_RESIDENT_BYTES);
    }
    for (String device : List.of("calm", "flooded")) {
      lab.detachWhenUnused(device);
    }
    Lab.until("their threads are gone", () -> threads(pid) <= threads + 8);
    lab.unload();
  }
}
