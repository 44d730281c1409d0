package blksnap.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.TestEngine;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.UnaryOperator;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What fuzzing found in the files of a killed engine, one by one. */
@Timeout(300)
class HostileStateTest {
  private static final int EIO = 5;

  @TempDir(factory = InMemory.class)
  Path directory;

  private DiskWorld world;

  @BeforeEach
  void makeAWorld() throws IOException {
    world = new DiskWorld(directory);
    world.restore();
  }

  private TestEngine load() throws IOException {
    return new TestEngine(directory, world.config(new CopyOnWriteArrayList<>()));
  }

  /** Snapshot records, the newest take last. */
  private Path record(String snapshot) throws IOException {
    for (Path file : world.files()) {
      if (file.endsWith("snapshot")
          && Files.readString(file, StandardCharsets.ISO_8859_1)
              .contains("\"name\":\"" + snapshot + "\"")) {
        return file;
      }
    }
    throw new AssertionError("no record of " + snapshot);
  }

  /** Changes the text of a record and mends its checksum. */
  private static void edit(Path file, UnaryOperator<String> change) throws IOException {
    byte[] raw = Files.readAllBytes(file);
    String before = new String(raw, 16, raw.length - 16, StandardCharsets.UTF_8);
    String after = change.apply(before);
    assertThat(after).isNotEqualTo(before);
    byte[] text = after.getBytes(StandardCharsets.UTF_8);
    var crc = new CRC32C();
    crc.update(text);
    ByteBuffer bytes = ByteBuffer.allocate(16 + text.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.put(raw, 0, 8).putInt(text.length).putInt((int) crc.getValue()).put(text);
    Files.write(file, bytes.array());
  }

  private void assertRightOrEio(TestEngine engine) throws IOException {
    for (String image : DiskWorld.offered(engine)) {
      byte[] expected = world.content(image);
      for (int at = 0; at < expected.length; at += DiskWorld.BLOCK) {
        if (engine.errorOfRead(image, at, DiskWorld.BLOCK) == 0) {
          assertThat(engine.read(image, at, DiskWorld.BLOCK))
              .as("%s at %d", image, at)
              .isEqualTo(Arrays.copyOfRange(expected, at, at + DiskWorld.BLOCK));
        }
      }
    }
  }

  @Test
  void anOlderImageFailsWhenTheRecordOfANewerSnapshotIsLost() throws IOException {
    Files.delete(record("three"));
    try (TestEngine engine = load()) {
      assertThat(engine.errorOfRead("a@one", 0, DiskWorld.BLOCK)).isEqualTo(EIO);
      assertRightOrEio(engine);
    }
  }

  @Test
  void anImageFailsWhenItsLastMappingsAreGone() throws IOException {
    for (Path file : world.files()) {
      if (file.endsWith("0.map")) {
        byte[] raw = Files.readAllBytes(file);
        Arrays.fill(raw, 2048 / 2, raw.length, (byte) 0);
        Files.write(file, raw);
      }
    }
    try (TestEngine engine = load()) {
      assertRightOrEio(engine);
    }
  }

  @Test
  void aStorageNumberThatCannotBeLosesOneSnapshotAndNotTheLoad() throws IOException {
    for (String number : List.of("-1", "32767", "70000", "2147483648")) {
      world.restore();
      edit(record("three"), text -> text.replaceFirst("\"storage\":\\d+", "\"storage\":" + number));
      try (TestEngine engine = load()) {
        assertThat(DiskWorld.offered(engine)).doesNotContain("a@three").contains("a@two");
        assertRightOrEio(engine);
      }
    }
  }

  @Test
  void aRangeWithoutItsLimitMakesAStorageMissingAndNotTheLoadFail() throws IOException {
    Path storage = directory.resolve("state/storages/0");
    edit(storage, text -> text.replace("\"growable\":true", "\"growable\":false"));
    try (TestEngine engine = load()) {
      assertThat(engine.errorOfRead("a@one", 0, DiskWorld.BLOCK)).isEqualTo(EIO);
      assertRightOrEio(engine);
    }
  }

  @Test
  void aDeviceNameInARecordIsNoPathToOtherFiles() throws IOException {
    Path bystander = Files.createDirectories(directory.resolve("mine")).resolve("file");
    Files.writeString(bystander, "mine");
    edit(record("three"), text -> text.replace("\"device\":\"a\"", "\"device\":\"../../../mine\""));
    edit(record("three"), text -> text.replace("\"phase\":\"taken\"", "\"phase\":\"taking\""));
    try (TestEngine engine = load()) {
      assertRightOrEio(engine);
    }
    assertThat(bystander).hasContent("mine");
  }

  @Test
  void whatIsNoSnapshotOfOursIsLeftAlone() throws IOException {
    Path foreign = Files.createDirectories(directory.resolve("state/snapshots/lost+found"));
    Files.writeString(foreign.resolve("file"), "mine");
    try (TestEngine engine = load()) {
      assertThat(DiskWorld.offered(engine)).containsAll(DiskWorld.IMAGES);
    }
    assertThat(foreign.resolve("file")).hasContent("mine");
  }

  @Test
  void aDirectoryInTheStorageRecordsPlaceDoesNotStopTheLoad() throws IOException {
    Path storage = directory.resolve("state/storages/0");
    Files.delete(storage);
    Files.createDirectory(storage);
    try (TestEngine engine = load()) {
      assertThat(engine.errorOfRead("a@one", 0, DiskWorld.BLOCK)).isEqualTo(EIO);
      assertRightOrEio(engine);
    }
  }

  @Test
  void exchangedRecordsOfDevicesAreNoticed() throws IOException {
    Path a = directory.resolve("state/devices/a/device");
    Path c = directory.resolve("state/devices/c/device");
    byte[] ofA = Files.readAllBytes(a);
    Files.write(a, Files.readAllBytes(c));
    Files.write(c, ofA);
    try (TestEngine engine = load()) {
      assertThat(DiskWorld.offered(engine)).contains("b@one");
      assertRightOrEio(engine);
    }
  }

  @Test
  void exchangedFrozenMapsAreNoticed() throws IOException {
    Path one = record("one").resolveSibling("a").resolve("frozen");
    Path two = record("two").resolveSibling("a").resolve("frozen");
    byte[] ofOne = Files.readAllBytes(one);
    Files.write(one, Files.readAllBytes(two));
    Files.write(two, ofOne);
    try (TestEngine engine = load()) {
      assertThat(engine.info("one").devices()).anyMatch(part -> part.errno().isPresent());
      assertThat(engine.info("two").devices()).anyMatch(part -> part.errno().isPresent());
      assertRightOrEio(engine);
    }
  }
}
