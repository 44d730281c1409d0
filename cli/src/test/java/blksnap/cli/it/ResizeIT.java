package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.testing.Commands;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A device is resized under its clients and its snapshots. */
@Timeout(240)
final class ResizeIT {
  private static final int MIB = 1 << 20;
  private static final int SIZE = 8 * MIB;

  @TempDir private Path directory;

  @SuppressWarnings("NullAway.Init") // before each test
  private Lab lab;

  @SuppressWarnings("NullAway.Init") // before each test
  private Path disk;

  @SuppressWarnings("NullAway.Init") // before each test
  private byte[] content;

  @BeforeEach
  void attach() throws Exception {
    lab = new Lab(directory);
    lab.load();
    disk = lab.disk("vm1.img", SIZE);
    content = Files.readAllBytes(disk);
    lab.ok("attach", disk.toString(), "--name", "vm1");
    lab.ok("snapshot", "create", "vm1", "--storage", directory.toString(), "--name", "s", "--take");
  }

  @AfterEach
  void end() {
    lab.close();
  }

  private NbdSession connect() throws IOException {
    return NbdSession.open(lab.nbdSocket(), "vm1");
  }

  private String resize(String... words) {
    String[] all = Arrays.copyOf(new String[] {"resize", "vm1", "-o", "plain"}, 4 + words.length);
    System.arraycopy(words, 0, all, 4, words.length);
    return lab.ok(all);
  }

  private static int errno(org.assertj.core.api.ThrowableAssert.ThrowingCallable request) {
    var refused = new int[1];
    assertThatExceptionOfType(NbdSession.Refused.class)
        .isThrownBy(request)
        .satisfies(e -> refused[0] = e.errno());
    return refused[0];
  }

  @Test
  void aGrownDeviceIsSeenByNewClientsAndTheOldOnesGoOn() throws Exception {
    Lab.need("nbdinfo", "qemu-io");
    String generation = lab.ok("cat", "/sys/block/vm1/cbt/generation_id");
    try (NbdSession old = connect()) {
      assertThat(resize("16M")).isEqualTo("vm1\t8388608\t16777216");
      assertThat(lab.program("nbdinfo", "--size", lab.uri("vm1")).strip()).isEqualTo("16777216");
      assertThat(lab.program("nbdinfo", "--size", lab.uri("vm1@s")).strip()).isEqualTo("8388608");
      lab.program(
          "qemu-io", "-f", "raw", "-c", "write -P 0x77 15M 1M", "-c", "flush", lab.uri("vm1"));
      old.write(SIZE - MIB, new byte[MIB]);
      assertThat(errno(() -> old.read(SIZE, 512))).isEqualTo(22);
      assertThat(old.read(SIZE - MIB, MIB)).containsOnly(0);
    }
    lab.program("qemu-io", "-f", "raw", "-r", "-c", "read -P 0x77 15M 1M", lab.uri("vm1"));
    assertThat(lab.content("vm1@s")).isEqualTo(content);
    assertThat(lab.changed("vm1", 16L * MIB, "--since", "s")).contains(true, true);
    assertThat(lab.ok("cat", "/sys/block/vm1/cbt/generation_id")).isEqualTo(generation);

    lab.kill();
    lab.load();
    assertThat(lab.number("/sys/block/vm1/size")).isEqualTo(16L * MIB);
    assertThat(lab.ok("cat", "/sys/block/vm1/cbt/generation_id")).isEqualTo(generation);
    assertThat(lab.content("vm1@s")).isEqualTo(content);
  }

  @Test
  void aShrunkDeviceRefusesOldClientsBeyondItsEndAndImagesKeepIt() throws Exception {
    assertThat(lab.refused("resize", "vm1", "4M")).contains("EINVAL", "--force");
    try (NbdSession old = connect()) {
      resize("4M", "--force");
      assertThat(Files.size(disk)).isEqualTo(4L * MIB);
      assertThat(errno(() -> old.write(6 * MIB, new byte[4096]))).isEqualTo(28);
      assertThat(errno(() -> old.read(6 * MIB, 4096))).isEqualTo(22);
      old.write(0, new byte[4096]);
      assertThat(old.read(0, 4096)).containsOnly(0);
    }
    assertThat(lab.content("vm1@s")).isEqualTo(content);
    lab.ok("snapshot", "destroy", "s");
  }

  @Test
  void clientsAreDisconnectedWhenThatIsAskedFor() throws Exception {
    try (NbdSession old = connect()) {
      assertThat(old.sizeBytes()).isEqualTo(SIZE);
      resize("12M", "--reconnect");
      assertThatExceptionOfType(IOException.class).isThrownBy(() -> old.read(0, 512));
    }
    try (NbdSession fresh = connect()) {
      assertThat(fresh.sizeBytes()).isEqualTo(12L * MIB);
    }
  }

  @Test
  void aSizeThatOthersGaveIsShownAndTakenOver() throws Exception {
    Commands.run("truncate", "--size=" + 2 * SIZE, disk.toString());
    assertThat(lab.number("/sys/block/vm1/file_size")).isEqualTo(2L * SIZE);
    assertThat(lab.number("/sys/block/vm1/size")).isEqualTo(SIZE);
    Lab.until("it is noticed", () -> lab.ok("dmesg").contains("others changed its size"));
    assertThat(resize()).isEqualTo("vm1\t8388608\t16777216");
    assertThat(lab.content("vm1")).hasSize(2 * SIZE).startsWith(content);
  }

  @Test
  void whatOthersCutOffBreaksTheImageAndTheDeviceGoesOn() throws Exception {
    Commands.run("truncate", "--size=" + SIZE / 2, disk.toString());
    Lab.until("it is noticed", () -> lab.ok("snapshot", "info", "s").contains("vm1 is corrupt"));
    try (NbdSession session = connect()) {
      session.write(0, new byte[MIB]);
      assertThat(session.read(0, MIB)).containsOnly(0);
    }
    assertThat(lab.ok("snapshot", "wait", "s", "--timeout", "0", "-o", "plain"))
        .isEqualTo("corrupted\tvm1\tEIO");
    assertThat(resize()).isEqualTo("vm1\t8388608\t4194304");
  }
}
