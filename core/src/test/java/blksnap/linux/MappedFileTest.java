package blksnap.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.NativeFile.Flag;
import blksnap.testing.Bytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MappedFileTest {
  private static final int PIECE = 64 * 1024;

  @TempDir private Path directory;

  @Test
  void keepsWhatWasStoredForTheNextOneToOpenIt() throws IOException {
    Path path = directory.resolve("map");
    try (MappedFile file = MappedFile.create(path, 10_000)) {
      assertThat(file.segment().byteSize()).isEqualTo(10_000);
      assertThat(file.segment().get(JAVA_BYTE, 9_999)).isZero();
      file.segment().set(JAVA_BYTE, 9_999, (byte) 7);
      file.force(5_000, 5_000);
      file.force(0, 0);
    }
    try (MappedFile file = MappedFile.open(path, 10_000)) {
      assertThat(file.segment().get(JAVA_BYTE, 9_999)).isEqualTo((byte) 7);
    }
    assertThat(Files.readAllBytes(path)[9_999]).isEqualTo((byte) 7);
  }

  @Test
  void hasAllItsSpaceFromTheStart() throws IOException {
    Path path = directory.resolve("map");
    MappedFile.create(path, 16 * PIECE).close();
    try (NativeFile file = NativeFile.open(path, Set.of(Flag.READ_ONLY))) {
      assertThat(file.stat().allocatedBytes()).isGreaterThanOrEqualTo(16 * PIECE);
    }
  }

  @Test
  void fillsTheHolesOfACopyBeforeItIsMapped() throws IOException {
    Path path = directory.resolve("map");
    try (NativeFile file = NativeFile.open(path, Set.of(Flag.READ_WRITE, Flag.CREATE_NEW))) {
      file.truncate(8L * PIECE);
    }
    MappedFile.open(path, 8L * PIECE).close();
    try (NativeFile file = NativeFile.open(path, Set.of(Flag.READ_ONLY))) {
      assertThat(file.stat().allocatedBytes()).isGreaterThanOrEqualTo(8 * PIECE);
    }
  }

  @Test
  void fillsHolesByWritingWhereTheFileSystemCannotAllocate() throws IOException {
    Path path = directory.resolve("map");
    try (NativeFile file = NativeFile.open(path, Set.of(Flag.READ_WRITE, Flag.CREATE_NEW))) {
      ByteBuffer letters = ByteBuffer.allocateDirect(PIECE).put(Bytes.repeated('a', PIECE)).flip();
      file.write(2L * PIECE, letters);
      file.truncate(4L * PIECE);
      MappedFile.fillHoles(file, 6L * PIECE + 100);
      assertThat(file.nextHole(0)).hasValue(6L * PIECE + 100);
    }
    byte[] expected = Bytes.zeroes(6 * PIECE + 100);
    System.arraycopy(Bytes.repeated('a', PIECE), 0, expected, 2 * PIECE, PIECE);
    assertThat(Files.readAllBytes(path)).isEqualTo(expected);
  }

  @Test
  void refusesToReplaceAFile() throws IOException {
    Path path = Files.write(directory.resolve("map"), Bytes.filled('a', 1));
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(() -> MappedFile.create(path, 512))
        .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EEXIST));
    assertThat(Files.readAllBytes(path)).isEqualTo(Bytes.filled('a', 1));
  }

  @Test
  void leavesNoFileBehindWhenThereIsNoRoom() {
    Path path = directory.resolve("map");
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(() -> MappedFile.create(path, Long.MAX_VALUE / 2))
        .satisfies(e -> assertThat(e.errno()).isIn(Errno.ENOSPC, Errno.EFBIG));
    assertThat(path).doesNotExist();
  }

  @Test
  void refusesAFileThatIsShorterThanItsContent() throws IOException {
    Path path = Files.write(directory.resolve("map"), Bytes.filled('a', 1));
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(() -> MappedFile.open(path, 513))
        .satisfies(e -> {
          assertThat(e.errno()).isEqualTo(Errno.EINVAL);
          assertThat(e.sentence()).isEqualTo(path + " has 512 bytes, not the expected 513");
        });
  }

  @Test
  void refusesToMapNothingAsDamage() throws IOException {
    Path path = Files.write(directory.resolve("map"), new byte[0]);
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(() -> MappedFile.open(path, 0))
        .satisfies(e -> {
          assertThat(e.errno()).isEqualTo(Errno.EBADMSG);
          assertThat(e.sentence()).isEqualTo(path + " is empty");
        });
  }

  @Test
  void refusesWhatIsNoRegularFile() {
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(() -> MappedFile.open(Path.of("/dev/null"), 1))
        .satisfies(
            e -> assertThat(e.sentence()).isEqualTo("/dev/null is a character device, not a file"));
  }

  @Test
  void cannotBeUsedAfterCloseAndMayBeClosedAgain() throws IOException {
    MappedFile file = MappedFile.create(directory.resolve("map"), 512);
    file.close();
    file.close();
    assertThatIllegalStateException().isThrownBy(() -> file.segment().get(JAVA_BYTE, 0));
    assertThatIllegalStateException().isThrownBy(() -> file.force(0, 512));
  }
}
