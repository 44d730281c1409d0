package blksnap.diffarea;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.error.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MappingLogTest {
  private static final UUID AREA = UUID.fromString("0f0e0d0c-0b0a-4908-8706-050403020100");
  private static final int HEADER_BYTES = 48;
  private static final int COUNT = 40;
  private static final int RECORD_BYTES = 32;
  private static final long ZEROES = -1;

  @TempDir Path directory;

  private record Entry(int kind, long block, long location, int count, int checksum) {}

  private Path home() {
    return directory.resolve("map");
  }

  private List<Entry> replay() throws IOException {
    var entries = new ArrayList<Entry>();
    try (MappingLog log = MappingLog.open(home(), AREA, false, adder(entries))) {
      assertThat(log.corruption()).isZero();
    }
    return entries;
  }

  private static MappingLog.Replay adder(List<Entry> entries) {
    return (kind, block, location, count, checksum) ->
        entries.add(new Entry(kind, block, location, count, checksum));
  }

  /** Three records; the second is one of zeroes. */
  private List<Entry> threeRecords() throws IOException {
    try (MappingLog log = MappingLog.create(home(), AREA)) {
      log.append(MappingLog.PRESERVED, 10, 500, 1, new int[] {7, 8}, 1);
      log.append(MappingLog.PRESERVED, 20, ZEROES, 64, null, 0);
      log.append(MappingLog.PRIVATE, 10, 501, 1, new int[] {0x01020304}, 0);
    }
    return List.of(
        new Entry(MappingLog.PRESERVED, 10, 500, 1, 8),
        new Entry(MappingLog.PRESERVED, 20, ZEROES, 64, 0),
        new Entry(MappingLog.PRIVATE, 10, 501, 1, 0x01020304));
  }

  @Test
  void replaysWhatWasAppendedInOrder() throws IOException {
    List<Entry> expected = threeRecords();
    assertThat(replay()).isEqualTo(expected);
  }

  @Test
  void aRunIsOneRecordForEachBlock() throws IOException {
    try (MappingLog log = MappingLog.create(home(), AREA)) {
      log.append(MappingLog.PRESERVED, 10, 500, 3, new int[] {1, 2, 3}, 0);
    }
    assertThat(replay())
        .containsExactly(
            new Entry(MappingLog.PRESERVED, 10, 500, 1, 1),
            new Entry(MappingLog.PRESERVED, 11, 501, 1, 2),
            new Entry(MappingLog.PRESERVED, 12, 502, 1, 3));
  }

  @Test
  void aRecordTornAtAnyByteIsNotThereAndItsPlaceIsUsedAgain() throws IOException {
    List<Entry> expected = threeRecords();
    Path file = home().resolve("0.map");
    byte[] whole = Files.readAllBytes(file);
    count(whole, 2); // it was cut off before it was counted
    int last = HEADER_BYTES + 2 * RECORD_BYTES;
    for (int at = 0; at < RECORD_BYTES; at++) {
      byte[] flipped = whole.clone();
      flipped[last + at] ^= (byte) 0xff;
      byte[] cut = whole.clone();
      Arrays.fill(cut, last + at, last + RECORD_BYTES, (byte) 0);
      for (byte[] torn : List.of(flipped, cut)) {
        if (!Arrays.equals(torn, whole)) {
          Files.write(file, torn);
          assertThat(replay()).as("byte %d", at).isEqualTo(expected.subList(0, 2));
          try (MappingLog log = MappingLog.open(home(), AREA, false, adder(new ArrayList<>()))) {
            log.append(MappingLog.PRIVATE, 10, 501, 1, new int[] {0x01020304}, 0);
          }
          assertThat(replay()).as("again, byte %d", at).isEqualTo(expected);
        }
      }
    }
  }

  private static void count(byte[] file, long records) {
    ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).putLong(COUNT, ~records);
  }

  @Test
  void recordsThatWereCountedAndAreGoneAreDamage() throws IOException {
    threeRecords();
    Path file = home().resolve("0.map");
    byte[] whole = Files.readAllBytes(file);
    byte[] shorter = whole.clone();
    Arrays.fill(shorter, HEADER_BYTES + RECORD_BYTES, shorter.length, (byte) 0);
    byte[] empty = whole.clone();
    Arrays.fill(empty, COUNT, empty.length, (byte) 0);
    for (byte[] damaged : List.of(shorter, empty)) {
      Files.write(file, damaged);
      refused(Errno.EBADMSG, this::replay, home().toString(), "mappings");
    }
  }

  @Test
  void afterAPowerLossTheCountMayBeAheadOfTheRecords() throws IOException {
    List<Entry> expected = threeRecords();
    Path file = home().resolve("0.map");
    byte[] whole = Files.readAllBytes(file);
    Arrays.fill(whole, HEADER_BYTES + 2 * RECORD_BYTES, whole.length, (byte) 0);
    Files.write(file, whole);
    var found = new ArrayList<Entry>();
    MappingLog.open(home(), AREA, true, adder(found)).close();
    assertThat(found).isEqualTo(expected.subList(0, 2));
  }

  @Test
  void aFileOfAnotherSizeIsRefused() throws IOException {
    threeRecords();
    Path file = home().resolve("0.map");
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, whole.length + 1));
    refused(Errno.EBADMSG, this::replay, file.toString(), "65537 bytes");
  }

  @Test
  void goesOnInMoreFiles() throws IOException {
    int records = 40_000; // 64 KiB, then files of 1 MiB
    try (MappingLog log = MappingLog.create(home(), AREA)) {
      for (int i = 0; i < records; i++) {
        log.append(MappingLog.PRESERVED, i, 3L * i, 1, new int[] {~i}, 0);
      }
      log.force();
    }
    assertThat(home()).isDirectoryContaining(path -> path.endsWith("2.map"));
    List<Entry> found = replay();
    assertThat(found).hasSize(records);
    for (int i = 0; i < records; i++) {
      assertThat(found.get(i)).isEqualTo(new Entry(MappingLog.PRESERVED, i, 3L * i, 1, ~i));
    }
  }

  @Test
  void aFileThatWasBeingMadeAtAKillIsIgnoredAndMadeAgain() throws IOException {
    int inFirst = ((64 << 10) - HEADER_BYTES) / RECORD_BYTES;
    try (MappingLog log = MappingLog.create(home(), AREA)) {
      for (int i = 0; i < inFirst; i++) {
        log.append(MappingLog.PRESERVED, i, i, 1, new int[] {i}, 0);
      }
    }
    for (int bytes : List.of(1, HEADER_BYTES, 1 << 20)) {
      Files.write(home().resolve("1.map"), new byte[bytes]);
      assertThat(replay()).as("1.map of %d bytes", bytes).hasSize(inFirst);
    }
    Files.write(home().resolve("1.map"), new byte[1 << 20]);
    try (MappingLog log = MappingLog.open(home(), AREA, false, adder(new ArrayList<>()))) {
      log.append(MappingLog.PRESERVED, 9_999, 1, 1, new int[] {1}, 0);
    }
    assertThat(replay()).hasSize(inFirst + 1);
  }

  @Test
  void anotherAreasLogIsRefused() throws IOException {
    threeRecords();
    UUID other = UUID.randomUUID();
    refused(
        Errno.EBADMSG,
        () -> MappingLog.open(home(), other, false, adder(new ArrayList<>())),
        other.toString());
  }

  @Test
  void aDamagedOrMissingFirstFileIsRefused() throws IOException {
    threeRecords();
    Path file = home().resolve("0.map");
    byte[] whole = Files.readAllBytes(file);
    for (int at = 0; at < 36; at++) {
      byte[] damaged = whole.clone();
      damaged[at] ^= 1;
      Files.write(file, damaged);
      refused(
          Errno.EBADMSG,
          () -> MappingLog.open(home(), AREA, false, adder(new ArrayList<>())),
          "0.map");
    }
    Files.write(file, new byte[HEADER_BYTES]);
    refused(
        Errno.EBADMSG,
        () -> MappingLog.open(home(), AREA, false, adder(new ArrayList<>())),
        "0.map");
    Files.delete(file);
    refused(
        Errno.EBADMSG,
        () -> MappingLog.open(home(), AREA, false, adder(new ArrayList<>())),
        home().toString());
  }

  @Test
  void recordsOfAnotherAreaInReusedSpaceAreNotTakenForItsOwn() throws IOException {
    threeRecords();
    Path file = home().resolve("0.map");
    byte[] old = Files.readAllBytes(file);
    Path fresh = directory.resolve("fresh");
    UUID other = UUID.randomUUID();
    MappingLog.create(fresh, other).close();
    byte[] reused = Files.readAllBytes(fresh.resolve("0.map"));
    System.arraycopy(old, HEADER_BYTES, reused, HEADER_BYTES, 3 * RECORD_BYTES);
    Files.write(fresh.resolve("0.map"), reused);

    var entries = new ArrayList<Entry>();
    MappingLog.open(fresh, other, true, adder(entries)).close();
    assertThat(entries).isEmpty();
  }

  @Test
  void remembersThatTheAreaIsCorrupt() throws IOException {
    try (MappingLog log = MappingLog.create(home(), AREA)) {
      assertThat(log.corruption()).isZero();
      log.corrupt(Errno.ENOSPC.number());
      log.forceCorruption();
    }
    try (MappingLog log = MappingLog.open(home(), AREA, false, adder(new ArrayList<>()))) {
      assertThat(log.corruption()).isEqualTo(28);
    }
  }

  @Test
  void deletingRemovesEveryFileOfIt() throws IOException {
    MappingLog log = MappingLog.create(home(), AREA);
    for (int i = 0; i < 3_000; i++) {
      log.append(MappingLog.PRESERVED, i, i, 1, new int[] {i}, 0);
    }
    log.delete();
    assertThat(home()).doesNotExist();
  }
}
