package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Bytes;
import blksnap.testing.Seeds;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the product is for: back up a disk while it is written to, and then what changed. */
@Timeout(240)
final class MainJobIT {
  private static final int MIB = 1 << 20;
  private static final int SIZE = 64 * MIB;

  @TempDir private Path directory;

  private Lab lab;
  private Path disk;

  @BeforeEach
  void attach() throws Exception {
    lab = new Lab(directory);
    lab.load();
    disk = lab.disk("vm1.img", SIZE);
    lab.ok("attach", disk.toString(), "--name", "vm1");
  }

  @AfterEach
  void end() {
    lab.close();
  }

  private void take(String name) {
    lab.ok(
        "snapshot", "create", "vm1", "--storage", directory.toString(), "--name", name, "--take");
  }

  private byte[] copied(String export) throws Exception {
    Path copy = lab.path("copied.img");
    lab.program("nbdcopy", lab.uri(export), copy.toString());
    byte[] content = Files.readAllBytes(copy);
    Files.delete(copy);
    return content;
  }

  @Test
  void backsUpOneMomentWhileWritersVerifyTheirDataAndThenWhatChanged() throws Exception {
    Lab.need("fio", "qemu-img", "qemu-io", "nbdcopy", "nbdinfo");
    try (Background writer = lab.fio("vm1", SIZE / 2)) {
      take("full");
      byte[] early = copied("vm1@full");
      assertThat(Arrays.mismatch(early, copied("vm1@full"))).isEqualTo(-1);
      writer.awaitSuccess();
      assertThat(Arrays.mismatch(early, copied("vm1@full"))).isEqualTo(-1);
      assertThat(Arrays.mismatch(early, copied("vm1"))).isNotEqualTo(-1);
    }
    String[] patterns = {"-c", "read -P 0xa5 60M 64k", "-c", "read -P 0x5a 63M 4k"};
    lab.program(
        "qemu-io",
        "-f",
        "raw",
        "-c",
        "write -P 0xa5 60M 64k",
        "-c",
        "write -P 0x5a 63M 4k",
        "-c",
        "discard 62M 1M",
        "-c",
        "flush",
        lab.uri("vm1"));
    Path before = lab.path("before.img");
    Files.copy(disk, before, StandardCopyOption.COPY_ATTRIBUTES);
    take("first");
    String image = lab.uri("vm1@first");
    try (Background writer = lab.fio("vm1", SIZE / 4, "--offset=8m", "--randseed=11")) {
      lab.program("qemu-io", "-f", "raw", "-c", "write -P 0x77 60M 1M", lab.uri("vm1"));
      lab.program("qemu-img", "compare", "-f", "raw", "-F", "raw", image, before.toString());
      lab.program(
          "qemu-io", "-r", "-f", "raw", patterns[0], patterns[1], patterns[2], patterns[3], image);
      writer.awaitSuccess();
    }
    byte[] first = copied("vm1@first");
    assertThat(Arrays.mismatch(first, Files.readAllBytes(before))).isEqualTo(-1);
    Path packed = lab.path("packed.qcow2");
    lab.program("qemu-img", "convert", "-f", "raw", "-O", "qcow2", image, packed.toString());
    lab.program(
        "qemu-img", "compare", "-f", "raw", "-F", "qcow2", before.toString(), packed.toString());
    assertHolesAreZero(lab.program("nbdinfo", "--map", image), first);

    take("second");
    byte[] second = copied("vm1@second");
    boolean[] changed = lab.changed("vm1", SIZE, "--since", "first", "--until", "second");
    int differing = assertCovers(changed, first, second);
    assertThat(differing).isGreaterThan(SIZE / 8 / Lab.BLOCK);
    assertThat(changed[1]).as("the first MiB was not written").isFalse();

    assertThat(lab.refused("unload")).contains("EBUSY");
    for (String name : new String[] {"first", "full", "second"}) {
      lab.ok("snapshot", "destroy", name);
    }
    lab.unload();
  }

  private static int assertCovers(boolean[] changed, byte[] older, byte[] newer) {
    int differing = 0;
    for (int block = 0; block < changed.length; block++) {
      int from = block * Lab.BLOCK;
      int to = from + Lab.BLOCK;
      if (!Arrays.equals(older, from, to, newer, from, to)) {
        differing++;
        assertThat(changed[block]).as("the map misses the changed block %d", block).isTrue();
      }
    }
    return differing;
  }

  /** Every extent follows the one before, and those that are said to be zero are. */
  private static void assertHolesAreZero(String map, byte[] content) {
    long next = 0;
    boolean hole = false;
    for (String line : map.strip().split("\n", -1)) {
      String[] fields = line.strip().split(" +", -1);
      int offset = Integer.parseInt(fields[0]);
      int length = Integer.parseInt(fields[1]);
      assertThat(offset).isEqualTo(next);
      next += length;
      if ((Integer.parseInt(fields[2]) & 2) != 0) {
        hole = true;
        for (int at = offset; at < next; at++) {
          assertThat(content[at]).isZero();
        }
      }
    }
    assertThat(next).isEqualTo(content.length);
    assertThat(hole).as("what was discarded before the take is a hole in the image").isTrue();
  }

  @Test
  void copiesFourKibibytesForARandomFirstOverwriteOfFour() throws Exception {
    int overwrites = 500;
    Seeds seeds = Seeds.ofRun();
    Random random = seeds.random();
    Path storage = lab.path("old-blocks");
    lab.ok("snapshot", "create", "vm1", "--storage", storage.toString(), "--name", "s", "--take");
    Set<Integer> blocks = new HashSet<>();
    try (NbdSession session = NbdSession.open(lab.nbdSocket(), "vm1")) {
      while (blocks.size() < overwrites) {
        int block = random.nextInt(SIZE / Lab.BLOCK);
        session.write((long) block * Lab.BLOCK, Bytes.pattern(1, block, Lab.BLOCK));
        session.write((long) block * Lab.BLOCK, Bytes.pattern(2, block, Lab.BLOCK));
        blocks.add(block);
      }
      session.flush();
    }
    assertThat(lab.number("/sys/block/vm1@s/blocks_stored")).as("%s", seeds).isEqualTo(overwrites);
    assertThat(Lab.allocated(storage))
        .as("allocated bytes of the storage, %s", seeds)
        .isBetween((long) overwrites * Lab.BLOCK, (long) overwrites * Lab.BLOCK + (64 << 10));
  }

  @Test
  void theMapOfASnapshotDoesNotMoveWhileTheDeviceIsWritten() throws Exception {
    Seeds seeds = Seeds.ofRun();
    Random random = seeds.random();
    for (int round = 0; round < 4; round++) {
      String name = "s" + round;
      take(name);
      boolean[] atTake = lab.changed("vm1", SIZE, "--until", name);
      try (NbdSession session = NbdSession.open(lab.nbdSocket(), "vm1")) {
        for (int i = 0; i < 10; i++) {
          session.write((long) random.nextInt(63) * MIB, Bytes.pattern(round, i, MIB));
        }
      }
      assertThat(lab.changed("vm1", SIZE, "--until", name)).as("%s", seeds).isEqualTo(atTake);
      assertThat(lab.changed("vm1", SIZE, "--since", name)).as("%s", seeds).contains(true);
    }
    boolean[] before = lab.changed("vm1", SIZE, "--until", "s3");
    int clean = 63 * MIB;
    assertThat(before[clean / Lab.BLOCK]).as("nobody wrote the last MiB").isFalse();
    lab.ok("cbt", "mark", "vm1", clean / 512 + ":1");
    assertThat(lab.changed("vm1", SIZE, "--until", "s3")[clean / Lab.BLOCK]).isTrue();
  }
}
