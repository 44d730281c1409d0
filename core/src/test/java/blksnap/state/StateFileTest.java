package blksnap.state;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.error.Errno;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StateFileTest {
  @TempDir Path directory;

  private Path path() {
    return directory.resolve("record");
  }

  private static Fields record(String value) {
    return new Fields().put("name", value);
  }

  @Test
  void readsBackWhatWasWrittenLast() throws IOException {
    StateFile.write(path(), record("first"));
    StateFile.write(path(), record("zweitens: äöü"));
    assertThat(StateFile.read(path()).text("name")).isEqualTo("zweitens: äöü");
    assertThat(Files.getPosixFilePermissions(path()))
        .isEqualTo(PosixFilePermissions.fromString("rw-------"));
    assertThat(directory).isDirectoryContaining(file -> file.equals(path()));
    assertThat(directory.toFile().list()).hasSize(1);
  }

  @Test
  void eachDamageHasItsOwnSentence() throws IOException {
    StateFile.write(path(), record("value"));
    byte[] whole = Files.readAllBytes(path());
    var sentences = new ArrayList<String>();
    for (byte[] damaged :
        List.of(
            new byte[3],
            changed(whole, 0),
            changed(whole, 4),
            Arrays.copyOf(whole, whole.length - 1),
            changed(whole, whole.length - 3))) {
      Files.write(path(), damaged);
      sentences.add(
          refused(Errno.EBADMSG, () -> StateFile.read(path()), path().toString()).sentence());
    }
    assertThat(sentences).doesNotHaveDuplicates();
    assertThat(sentences.get(4)).contains("checksum");
  }

  private static byte[] changed(byte[] bytes, int at) {
    byte[] changed = bytes.clone();
    changed[at] ^= 1;
    return changed;
  }

  @Test
  void everyTornLengthIsRefused() throws IOException {
    StateFile.write(path(), record("value"));
    byte[] whole = Files.readAllBytes(path());
    for (int length = 0; length < whole.length; length++) {
      Files.write(path(), Arrays.copyOf(whole, length));
      refused(Errno.EBADMSG, () -> StateFile.read(path()));
    }
    for (int at = 0; at < whole.length; at++) {
      Files.write(path(), changed(whole, at));
      refused(Errno.EBADMSG, () -> StateFile.read(path()));
    }
  }

  @Test
  void whatIsTooLongOrNoFileIsNotRead() throws IOException {
    try (var file = new RandomAccessFile(path().toFile(), "rw")) {
      file.setLength(1L << 40); // reading it would take all memory there is
    }
    refused(Errno.EBADMSG, () -> StateFile.read(path()), path().toString(), "longer than");
    Files.delete(path());
    Files.createDirectory(path());
    refused(Errno.EBADMSG, () -> StateFile.read(path()), path().toString(), "not a file");
  }

  @Test
  void aFieldOfAnotherTypeIsRefusedRatherThanBent() throws IOException {
    var fields = new Fields().put("text", "1").put("number", 1).put("flag", true);
    refused(Errno.EBADMSG, () -> fields.number("text"), "'text'");
    refused(Errno.EBADMSG, () -> fields.flag("text"), "'text'");
    refused(Errno.EBADMSG, () -> fields.text("number"), "'number'");
    refused(Errno.EBADMSG, () -> fields.flag("number"), "'number'");
    refused(Errno.EBADMSG, () -> fields.text("flag"), "'flag'");
  }

  @Test
  void aMissingRecordIsNotADamagedOne() {
    refused(Errno.ENOENT, () -> StateFile.read(path()), path().toString());
  }

  @Test
  void aLeftoverOfAKilledWriteIsReplaced() throws IOException {
    StateFile.write(path(), record("old"));
    Files.write(directory.resolve("record.new"), "half a rec".getBytes(StandardCharsets.US_ASCII));
    assertThat(StateFile.read(path()).text("name")).isEqualTo("old");
    StateFile.write(path(), record("new"));
    assertThat(StateFile.read(path()).text("name")).isEqualTo("new");
    assertThat(directory.toFile().list()).containsExactly("record");
  }

  @Test
  void aFailedWriteKeepsTheOldRecord() throws IOException {
    StateFile.write(path(), record("old"));
    Files.createDirectories(directory.resolve("record.new/in-the-way"));
    refused(Errno.EIO, () -> StateFile.write(path(), record("new")), path().toString());
    assertThat(StateFile.read(path()).text("name")).isEqualTo("old");
    refused(Errno.EFBIG, () -> StateFile.write(path(), record("x".repeat(5 << 20))), "bytes");
  }
}
