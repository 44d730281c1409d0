package blksnap.tracker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.linux.BootId;
import blksnap.log.LogRing;
import blksnap.param.Parameter;
import blksnap.param.Parameters;
import blksnap.sector.ByteRange;
import blksnap.state.StateFile;
import blksnap.testing.Bytes;
import blksnap.tracker.DeviceRecord.Stamps;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What of a device's history is known again when it is attached again. */
class TrackerTableTest {
  private static final int SIZE = 4 << 20;
  private static final int BLOCK = 64 << 10;

  @TempDir Path directory;

  private final Parameters parameters = new Parameters();
  private final LogRing log = new LogRing();
  private Path image = Path.of("");

  @SuppressWarnings("NullAway.Init") // before each test
  private TrackerTable table;

  @SuppressWarnings("NullAway.Init") // before each test
  private UUID generation;

  @BeforeEach
  void attach() throws IOException {
    image = directory.resolve("vm1.img");
    Files.write(image, Bytes.pattern(1, 0, SIZE));
    table = table();
    table.start();
    table.attach(image, Optional.of("vm1"), false, false);
    generation = generationNow();
  }

  @AfterEach
  void close() throws IOException {
    table.close();
  }

  private TrackerTable table() {
    return new TrackerTable(state(), parameters, InstantSource.system(), log);
  }

  private Path state() {
    return directory.resolve("state/devices");
  }

  private UUID generationNow() throws IOException {
    return table.find("vm1").device().readMap(map -> map.generation());
  }

  private void write(long offset) throws IOException {
    table.find("vm1").device().write(offset, ByteBuffer.allocateDirect(512));
  }

  private List<ByteRange> changed() throws IOException {
    return table.find("vm1").device().readMap(map -> map.changedSince(0, 0, 99).ranges());
  }

  /** Lets the file go as a kill does; what was mapped stays as it was. */
  private void killAndLoad() throws IOException {
    killAndLoad(() -> {});
  }

  private interface Meanwhile {
    void run() throws IOException;
  }

  private void killAndLoad(Meanwhile meanwhile) throws IOException {
    table.find("vm1").original().close();
    meanwhile.run();
    table = table();
    table.start();
  }

  private void touch(int secondsFromNow) throws IOException {
    Files.setLastModifiedTime(
        image, FileTime.fromMillis(System.currentTimeMillis() + secondsFromNow * 1000L));
  }

  @Test
  void afterAKillTheMapIsWhatItWas() throws IOException {
    write(3 * BLOCK);
    killAndLoad();
    assertThat(generationNow()).isEqualTo(generation);
    assertThat(changed()).containsExactly(new ByteRange(3 * BLOCK, BLOCK));
    write(5 * BLOCK);
    killAndLoad();
    assertThat(generationNow()).as("after another kill").isEqualTo(generation);
    assertThat(changed()).hasSize(2);
  }

  @Test
  void aFileThatOthersWroteAfterTheKillBeginsANewGeneration() throws IOException {
    write(3 * BLOCK);
    killAndLoad(() -> touch(2));
    assertThat(generationNow()).isNotEqualTo(generation);
    assertThat(changed()).isEmpty();
  }

  @Test
  void soDoesOneThatWasAtRest() throws IOException {
    killAndLoad(() -> touch(-1));
    assertThat(generationNow()).isNotEqualTo(generation);
  }

  @Test
  void anAttributeChangedWhileTheDeviceIsAtRestIsNoWrite() throws IOException {
    write(3 * BLOCK);
    Files.setPosixFilePermissions(image, PosixFilePermissions.fromString("rw-r-----"));
    table.checkpoint();
    killAndLoad();
    assertThat(generationNow()).isEqualTo(generation);
  }

  @Test
  void detachingAndAttachingAgainGoesOn() throws IOException {
    write(3 * BLOCK);
    table.detach("vm1");
    table.attach(image, Optional.of("vm1"), false, false);
    assertThat(generationNow()).isEqualTo(generation);
    assertThat(changed()).containsExactly(new ByteRange(3 * BLOCK, BLOCK));
    assertThat(table.find("vm1").device().checkpoint()).as("no region was left open").isFalse();
  }

  @Test
  void halfARecordThatAKillLeftOfADeviceIsRemovedThoughTheDeviceIsDetached() throws IOException {
    table.detach("vm1");
    Path unfinished = Files.writeString(state().resolve("vm1/device.new"), "half");
    table.close();
    table = table();
    table.start();
    assertThat(unfinished).doesNotExist();
    assertThat(table.lookup("vm1")).isEmpty();
  }

  @Test
  void contentThatChangedWithoutATraceInTheTimesIsNoticed() throws IOException {
    write(0);
    table.detach("vm1");
    DeviceRecord before = DeviceRecord.of(StateFile.read(state().resolve("vm1/device")));
    assertThat(before.clean()).isTrue();
    var store = new TrackerStore(state(), parameters, InstantSource.system(), log);
    TrackerStore.Opened same = open(store, before, before.sample().orElseThrow());
    assertThat(same.tracking().map().generation()).isEqualTo(generation);
    close(same);

    store.save("vm1", before);
    TrackerStore.Opened other = open(store, before, before.sample().orElseThrow() + 1);
    assertThat(other.tracking().map().generation()).isNotEqualTo(generation);
    close(other);
    table.attach(image, Optional.of("vm1"), false, false);
  }

  private static TrackerStore.Opened open(TrackerStore store, DeviceRecord before, long sample)
      throws IOException {
    Stamps stamps = before.stamps();
    var fresh =
        new DeviceRecord(
            before.path(),
            false,
            false,
            true,
            false,
            false,
            BootId.read(),
            UUID.randomUUID(),
            OptionalLong.empty(),
            OptionalLong.empty(),
            stamps);
    return store.open("vm1", fresh, true, false, () -> sample);
  }

  private static void close(TrackerStore.Opened opened) {
    opened.tracking().intent().close();
    opened.tracking().map().close();
  }

  @Test
  void aDetachThatFailsLeavesTheDeviceInUse() throws IOException {
    Path inTheWay = Files.createDirectories(state().resolve("vm1/device.new/full"));
    assertThatThrownBy(() -> table.detach("vm1")).isInstanceOf(IOException.class);
    write(7 * BLOCK);
    assertThat(changed()).containsExactly(new ByteRange(7 * BLOCK, BLOCK));
    Files.delete(inTheWay);
    table.detach("vm1");
    table.attach(image, Optional.of("vm1"), false, false);
    assertThat(generationNow()).isEqualTo(generation);
  }

  @Test
  void regionsOfAnotherSizeBeginWhenNoneIsOpen() throws IOException {
    parameters.set(Parameter.WRITE_INTENT_REGION_SHIFT, 20);
    write(0);
    killAndLoad();
    table.find("vm1").device().flush();
    assertThat(table.find("vm1").device().checkpoint()).isFalse(); // closes what was open
    killAndLoad();
    assertThat(generationNow()).isEqualTo(generation);
    write(2 << 20);
    assertThat(log.since(0, LogRing.CAPACITY)).noneMatch(l -> l.level() == LogRing.Level.ERROR);
  }
}
