package blksnap.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Over a directory that is laid out like {@code /sys/dev/block}. */
class DiskFactsTest {
  @TempDir Path directory;

  @BeforeEach
  void layOut() throws IOException {
    put(
        "sda/stat",
        "   40146      134   383421     9680    40804    51098  1080282    20621   0\n");
    put("sda/diskseq", "9\n");
    put("sda/queue/iostats", "1\n");
    put("sda/sda1/partition", "1\n");
    put(
        "sda/sda1/stat",
        "       7        1       56        1        2        0       16        0   0\n");
  }

  private void put(String file, String text) throws IOException {
    Path path = directory.resolve(file);
    Files.createDirectories(path.getParent());
    Files.writeString(path, text);
  }

  private DiskFacts of(String device) {
    return DiskFacts.of(directory.resolve(device), false);
  }

  @Test
  void tellsWhatWasWrittenSinceTheDeviceAppeared() {
    assertThat(of("sda")).isEqualTo(new DiskFacts("", 9, 1_080_282, false));
  }

  @Test
  void aPartitionHasCountersOfItsOwnAndTheSerialOfItsDisk() throws IOException {
    put("sda/wwid", "naa.5000\n");
    assertThat(of("sda/sda1")).isEqualTo(new DiskFacts("wwid naa.5000 partition 1", 9, 16, false));
  }

  @Test
  void theNameThatAVolumeManagerGaveComesFirst() throws IOException {
    put("sda/serial", "S1\n");
    assertThat(of("sda").serial()).isEqualTo("serial S1");
    put("sda/dm/uuid", "LVM-abc\n");
    assertThat(of("sda").serial()).isEqualTo("dm/uuid LVM-abc");
  }

  @Test
  void countersThatTheKernelDoesNotKeepAreUnknown() throws IOException {
    put("sda/queue/iostats", "0\n");
    assertThat(of("sda").sectorsWritten()).isEqualTo(-1);
    assertThat(of("sda/sda1").sectorsWritten()).isEqualTo(-1);
    assertThat(of("gone")).isEqualTo(new DiskFacts("", 0, -1, false));
    assertThat(DiskFacts.of(0)).isEqualTo(DiskFacts.NONE);
  }
}
