package blksnap.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BootIdTest {
  @TempDir private Path directory;

  @Test
  void staysTheSameWhileTheMachineRuns() throws IOException {
    assertThat(BootId.read()).isEqualTo(BootId.read());
    assertThat(BootId.read().version()).isEqualTo(4);
  }

  @Test
  void refusesASourceThatIsMissingOrHoldsSomethingElse() throws IOException {
    Path source = directory.resolve("boot_id");
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(() -> BootId.read(source))
        .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ENOENT));
    Files.writeString(source, "no uuid\n");
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(() -> BootId.read(source))
        .satisfies(e -> {
          assertThat(e.errno()).isEqualTo(Errno.EINVAL);
          assertThat(e.sentence()).isEqualTo(source + " holds no boot id but no uuid");
        });
  }
}
