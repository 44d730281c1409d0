package blksnap.cli.daemon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.cli.command.ProgramVersion;
import blksnap.engine.Version;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.param.Parameter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What surrounds the engine when it is loaded. */
final class LoadPartsTest {
  @TempDir private Path directory;

  @Test
  void hasTheVersionOfItsEngine() {
    assertThat(ProgramVersion.TEXT).isEqualTo(Version.TEXT);
  }

  @Test
  void readsParametersOfAFileAndLetsTheLineOverruleThem() throws IOException {
    Path file =
        Files.writeString(
            directory.resolve("conf"),
            """
            # ours
            chunk_minimum_shift = 20

              chunk_maximum_in_cache=8
            """);
    var parameters = new ParameterAssignments();
    parameters.addFile(file);
    parameters.add("chunk_minimum_shift=21");
    assertThat(parameters.values())
        .isEqualTo(
            Map.of(Parameter.CHUNK_MINIMUM_SHIFT, 21L, Parameter.CHUNK_MAXIMUM_IN_CACHE, 8L));
    assertThat(parameters.words())
        .containsExactly("chunk_minimum_shift=21", "chunk_maximum_in_cache=8");
  }

  @Test
  void namesTheFileAndLineOfAParameterThatIsWrong() throws IOException {
    Path file = Files.writeString(directory.resolve("conf"), "\nchunk_minimum_shift=99\n");
    assertThatThrownBy(() -> new ParameterAssignments().addFile(file))
        .isInstanceOfSatisfying(
            BlkSnapException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL))
        .hasMessage(
            file + " line 2: chunk_minimum_shift takes a whole number from 12 to 30, not 99");
  }

  @Test
  void refusesAFileThatIsTooLargeOrNoText() throws IOException {
    Path large =
        Files.write(
            directory.resolve("large"), new byte[(int) ParameterAssignments.MAX_FILE_BYTES + 1]);
    assertThatThrownBy(() -> new ParameterAssignments().addFile(large))
        .isInstanceOf(BlkSnapException.class)
        .hasMessage(large + " has more than 65536 bytes: no list of parameters");
    Path binary = Files.write(directory.resolve("binary"), new byte[] {(byte) 0xff, 1});
    assertThatThrownBy(() -> new ParameterAssignments().addFile(binary))
        .isInstanceOf(BlkSnapException.class)
        .hasMessage(binary + " is not UTF-8 text");
  }

  @Test
  void makesTheRunDirectoryForItsOwnerOnly() throws IOException {
    Path run = directory.resolve("a/run");
    RunDirectory.prepare(run);
    assertThat(permissions(run)).isEqualTo("rwx------");
    RunDirectory.prepare(run);
  }

  @Test
  void closesAnEmptyRunDirectoryToOthers() throws IOException {
    Path run = Files.createDirectory(directory.resolve("run"));
    Files.setPosixFilePermissions(run, PosixFilePermissions.fromString("rwxr-xr-x"));
    RunDirectory.prepare(run);
    assertThat(permissions(run)).isEqualTo("rwx------");
  }

  @Test
  void leavesADirectoryThatIsInUseAndOpenToOthersAsItIs() throws IOException {
    Path run = Files.createDirectory(directory.resolve("run"));
    Files.createFile(run.resolve("theirs"));
    Files.setPosixFilePermissions(run, PosixFilePermissions.fromString("rwxr-xr-x"));
    assertThatThrownBy(() -> RunDirectory.prepare(run))
        .isInstanceOf(BlkSnapException.class)
        .hasMessage(run + " is open to other users and already holds files");
    assertThat(permissions(run)).isEqualTo("rwxr-xr-x");
  }

  @Test
  void refusesAFileInPlaceOfTheRunDirectory() throws IOException {
    Path file = Files.createFile(directory.resolve("file"));
    assertThatThrownBy(() -> RunDirectory.prepare(file))
        .isInstanceOf(BlkSnapException.class)
        .hasMessage(file + " is not a directory");
  }

  @Test
  void keepsTheProcessNumberInAFileUntilItIsClosed() throws IOException {
    Path file = Files.writeString(directory.resolve("pid"), "1\n");
    try (var pidFile = PidFile.write(file, 4711)) {
      assertThat(file).hasContent("4711\n");
      assertThat(pidFile).isNotNull();
    }
    try (var left = Files.list(directory)) {
      assertThat(left).isEmpty();
    }
  }

  private static String permissions(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }
}
