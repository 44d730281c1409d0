package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.cli.CommandRun;
import blksnap.testing.Bytes;
import blksnap.testing.LoopDevice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Where old blocks are kept: each kind of storage, and what happens when it is full. */
@Timeout(180)
final class StorageIT {
  private static final int MIB = 1 << 20;
  private static final int SIZE = 16 * MIB;

  @TempDir private Path directory;

  private Lab lab;
  private byte[] before = {};

  @BeforeEach
  void attach() throws Exception {
    lab = new Lab(directory);
    lab.load("diff_storage_minimum=2048");
    Path disk = lab.disk("vm1.img", SIZE);
    before = Files.readAllBytes(disk);
    lab.ok("attach", disk.toString(), "--name", "vm1");
  }

  @AfterEach
  void end() {
    lab.close();
  }

  private void create(String storage, String... options) {
    var words = new ArrayList<>(List.of("snapshot", "create", "vm1", "--storage", storage));
    words.addAll(List.of("--name", "s", "--take"));
    words.addAll(List.of(options));
    lab.ok(words.toArray(String[]::new));
  }

  private byte[] overwrite(int from, int bytes) throws IOException {
    byte[] content = Bytes.pattern(7, from, bytes);
    try (NbdSession session = NbdSession.open(lab.nbdSocket(), "vm1")) {
      session.write(from, content);
      session.flush();
    }
    return content;
  }

  private void assertImageIsAsBefore() throws IOException {
    assertThat(Arrays.mismatch(lab.content("vm1@s"), before)).isEqualTo(-1);
  }

  @Test
  void afterAnOverflowTheImageFailsOnceAndForAllAndTheOriginalIsWhole() throws Exception {
    Path storage = lab.path("old-blocks");
    create(storage.toString(), "--limit", "4M");
    byte[] written = overwrite(2 * MIB, 8 * MIB);

    try (NbdSession image = NbdSession.open(lab.nbdSocket(), "vm1@s")) {
      for (int at : new int[] {0, 2 * MIB, 15 * MIB}) {
        assertThatThrownBy(() -> image.read(at, Lab.BLOCK))
            .isInstanceOfSatisfying(
                NbdSession.Refused.class, e -> assertThat(e.errno()).isEqualTo(NbdSession.EIO));
      }
    }
    byte[] expected = before.clone();
    System.arraycopy(written, 0, expected, 2 * MIB, written.length);
    assertThat(Arrays.mismatch(lab.content("vm1"), expected)).isEqualTo(-1);
    assertThat(Files.size(storage)).isLessThanOrEqualTo(4 * MIB);

    List<String> events = new ArrayList<>();
    CommandRun wait = lab.command("snapshot", "wait", "s", "--timeout", "1000", "-o", "json");
    while (wait.code() == 0) {
      events.add(wait.out());
      wait = lab.command("snapshot", "wait", "s", "--timeout", "300", "-o", "json");
    }
    assertThat(wait.code()).isEqualTo(1);
    assertThat(wait.err()).contains("ETIMEDOUT");
    assertThat(events).filteredOn(event -> event.contains("\"corrupted\"")).hasSize(1);
    assertThat(events.getFirst()).contains("\"low_free_space\"");
    assertThat(events.get(1)).contains("\"no_space\"");
    assertThat(events.getLast()).contains("\"corrupted\"").contains("vm1").contains("ENOSPC");
    assertThat(lab.number("/sys/block/vm1@s/errno")).isPositive();

    lab.ok("snapshot", "destroy", "s");
    assertThat(storage).doesNotExist();
    create(storage.toString());
    before = expected;
    overwrite(0, MIB);
    assertImageIsAsBefore();
  }

  @Test
  void aDirectoryGetsAFileThatGrowsAndGoesWithTheSnapshot() throws Exception {
    Path storage = Files.createDirectory(lab.path("old"));
    create(storage.toString());
    overwrite(0, 6 * MIB);
    assertImageIsAsBefore();
    try (var files = Files.list(storage)) {
      assertThat(files).hasSize(1).allMatch(file -> file.toFile().length() >= 6 * MIB);
    }
    lab.ok("snapshot", "destroy", "s");
    assertThat(storage).isEmptyDirectory();
  }

  @Test
  void aBlockDeviceHoldsOldBlocksAndIsRefusedToASecondUser() throws Exception {
    LoopDevice.require();
    Path backing = lab.sparse("backing", 8 * MIB);
    try (LoopDevice device = LoopDevice.attach(backing, 512)) {
      create(device.path().toString());
      assertThat(lab.refused("attach", device.path().toString(), "--name", "other"))
          .contains("EBUSY");
      overwrite(3 * MIB, 6 * MIB);
      assertImageIsAsBefore();
      assertThat(lab.number("/sys/block/vm1@s/blocks_stored")).isEqualTo(6 * MIB / Lab.BLOCK);
      lab.ok("snapshot", "destroy", "s");
      lab.ok("attach", device.path().toString(), "--name", "other");
      lab.ok("detach", "other");
    }
  }

  @Test
  void rangesOfOneFileAreFilledAndNothingBetweenThem() throws Exception {
    Path file = lab.path("shared");
    byte[] content = Bytes.pattern(3, 0, SIZE);
    Files.write(file, content);
    // Every second MiB from the second on is ours.
    List<String> words =
        new ArrayList<>(List.of("snapshot", "append-storage", "s", file.toString()));
    for (int at = MIB; at < SIZE; at += 2 * MIB) {
      words.add("--range");
      words.add(at / 512 + ":" + MIB / 512);
    }
    create(lab.path("first").toString(), "--limit", "1M");
    lab.ok(words.toArray(String[]::new));
    overwrite(0, 7 * MIB);
    assertImageIsAsBefore();
    byte[] after = Files.readAllBytes(file);
    int used = 0;
    for (int at = 0; at < SIZE; at += MIB) {
      boolean same = Arrays.equals(content, at, at + MIB, after, at, at + MIB);
      if (at / MIB % 2 == 0) {
        assertThat(same).as("the MiB at %d is not ours", at).isTrue();
      } else if (!same) {
        used++;
      }
    }
    assertThat(used).isGreaterThanOrEqualTo(6);
    lab.ok("snapshot", "destroy", "s");
    assertThat(file).hasSize(SIZE);
  }

  @Test
  void writersWaitForStorageAndGoOnWhenItIsAppended() throws Exception {
    Lab.need("fio");
    create(lab.path("first").toString(), "--limit", "2M", "--on-full", "wait");
    try (Background writer = lab.fio("vm1", SIZE)) {
      String event = "";
      while (!event.contains("\"no_space\"")) {
        event = lab.ok("snapshot", "wait", "s", "--timeout", "30000", "-o", "json");
      }
      assertThat(event).contains("2048");
      assertThat(writer.isAlive()).isTrue();
      assertImageIsAsBefore();
      lab.ok("snapshot", "append-storage", "s", lab.sparse("more", 4L * MIB).toString());
      event = "";
      while (!event.contains("\"no_space\"")) {
        event = lab.ok("snapshot", "wait", "s", "--timeout", "30000", "-o", "json");
      }
      assertThat(writer.isAlive()).isTrue();
      lab.ok("snapshot", "append-storage", "s", lab.sparse("much-more", 32L * MIB).toString());
      writer.awaitSuccess();
    }
    assertImageIsAsBefore();
    assertThat(lab.number("/sys/block/vm1@s/errno")).isZero();
  }
}
