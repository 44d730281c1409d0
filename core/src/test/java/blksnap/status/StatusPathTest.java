package blksnap.status;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class StatusPathTest {
  @ParameterizedTest
  @CsvSource({
    "'', /",
    "/, /",
    "//, /",
    "sys, /sys",
    "/sys/, /sys",
    "//sys//module///, /sys/module",
    "/sys/./module/., /sys/module",
    "/sys/block/../module, /sys/module",
    "/.., /",
    "/../../sys/.., /",
    "/sys/...,  /sys/..."
  })
  void countsFromTheRootWithoutDetours(String text, String path) throws BlkSnapException {
    assertThat(StatusPath.of(text)).hasToString(path);
  }

  @ParameterizedTest
  @CsvSource({
    "/sys/block, vm1, /sys/block/vm1",
    "/sys/block, ../module, /sys/module",
    "/sys/block, /sys/fs, /sys/fs",
    "/sys/block, '', /sys/block",
    "/sys/block, ../.., /"
  })
  void leadsOnFromADirectory(String from, String text, String path) throws BlkSnapException {
    assertThat(StatusPath.of(from).resolve(text)).hasToString(path);
  }

  @Test
  void refusesAPathThatIsTooLong() throws BlkSnapException {
    String longest = "x".repeat(StatusPath.MAX_PATH_CHARS);
    assertThat(StatusPath.of(longest).parts()).containsExactly(longest);
    assertThatThrownBy(() -> StatusPath.of(longest + "x"))
        .isInstanceOfSatisfying(
            BlkSnapException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENAMETOOLONG));
  }
}
