package blksnap.flight;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.TestEngine;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import jdk.jfr.Configuration;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class FlightTest {
  private static final int BLOCK = 4096;
  private static final int MIB = 1 << 20;

  @TempDir private Path directory;

  /** What is done to an engine while it is recorded. */
  private interface Scene {
    void play(TestEngine engine) throws IOException;
  }

  private List<RecordedEvent> record(Recording recording, Scene scene) throws IOException {
    try (recording;
        var engine = new TestEngine(directory)) {
      engine.attach("vm1", filled(MIB, 1));
      recording.start();
      scene.play(engine);
      recording.stop();
      Path file = directory.resolve("recording.jfr");
      recording.dump(file);
      return RecordingFile.readAllEvents(file).stream()
          .filter(event -> event.getEventType().getName().startsWith("blksnap."))
          .toList();
    }
  }

  private static Recording ofAll() {
    var recording = new Recording();
    for (String name : List.of("Take", "Preserve", "LowSpace")) {
      recording.enable("blksnap." + name);
    }
    recording.enable("blksnap.SlowIo").withoutThreshold();
    return recording;
  }

  private static Stream<RecordedEvent> of(List<RecordedEvent> events, String name) {
    return events.stream().filter(event -> event.getEventType().getName().equals(name));
  }

  private static byte[] filled(int length, int value) {
    byte[] bytes = new byte[length];
    Arrays.fill(bytes, (byte) value);
    return bytes;
  }

  /** A take, an overwrite of half a block and the next, and that again. */
  private static void takeAndOverwrite(TestEngine engine) throws IOException {
    engine.take("monday", "vm1");
    for (int i = 0; i < 2; i++) {
      assertThat(engine.write("vm1", 7 * BLOCK + BLOCK / 2, filled(BLOCK, 2))).isZero();
    }
    assertThat(engine.read("vm1@monday", 8 * BLOCK, 512)).containsOnly(1);
  }

  @Test
  void tellsHowLongATakeHeldWriters() throws IOException {
    List<RecordedEvent> events = record(ofAll(), FlightTest::takeAndOverwrite);
    assertThat(of(events, "blksnap.Take"))
        .singleElement()
        .satisfies(event -> {
          assertThat(event.getString("snapshot")).isEqualTo("monday");
          assertThat(event.getInt("devices")).isEqualTo(1);
          assertThat(event.getBoolean("taken")).isTrue();
          assertThat(event.getDuration("pause")).isPositive();
          assertThat(event.getDuration()).isGreaterThan(event.getDuration("pause"));
        });
  }

  @Test
  void tellsOfAChangeThatHadOldBlocksToKeepAndOfNoOther() throws IOException {
    List<RecordedEvent> events = record(ofAll(), FlightTest::takeAndOverwrite);
    assertThat(of(events, "blksnap.Preserve"))
        .singleElement()
        .satisfies(event -> {
          assertThat(event.getString("device")).isEqualTo("vm1");
          assertThat(event.getLong("offset")).isEqualTo(7 * BLOCK + BLOCK / 2);
          assertThat(event.getLong("length")).isEqualTo(BLOCK);
          assertThat(event.getLong("preserved")).isEqualTo(2 * BLOCK);
          assertThat(event.getString("error")).isNull();
        });
  }

  @Test
  void tellsOfEveryRequestThatTookLongEnough() throws IOException {
    List<RecordedEvent> events = record(ofAll(), FlightTest::takeAndOverwrite);
    List<RecordedEvent> slow = of(events, "blksnap.SlowIo").toList();
    assertThat(slow).extracting(event -> event.getString("operation")).contains("write", "read");
    assertThat(slow)
        .filteredOn(event -> "read".equals(event.getString("operation")))
        .singleElement()
        .satisfies(event -> {
          assertThat(event.getString("export")).isEqualTo("vm1@monday");
          assertThat(event.getLong("offset")).isEqualTo(8 * BLOCK);
          assertThat(event.getLong("length")).isEqualTo(512);
          assertThat(event.getDuration()).isPositive();
        });
  }

  @Test
  void tellsOfNoRequestThatWasQuickEnough() throws IOException {
    var recording = new Recording();
    recording.enable("blksnap.SlowIo").withThreshold(Duration.ofHours(1));
    assertThat(record(recording, FlightTest::takeAndOverwrite)).isEmpty();
  }

  @Test
  void tellsThatStorageIsLowAndThenFullAndWhatCouldNotBeKept() throws IOException {
    List<RecordedEvent> events =
        record(
            ofAll(),
            engine -> {
              engine.takeWithin(MIB / 4, "monday", "vm1");
              assertThat(engine.write("vm1", 0, filled(MIB, 2))).isZero();
            });
    List<RecordedEvent> space = of(events, "blksnap.LowSpace").toList();
    assertThat(space).extracting(event -> event.getString("snapshot")).containsOnly("monday");
    assertThat(space).extracting(event -> event.getString("level")).contains("low", "full");
    assertThat(of(events, "blksnap.Preserve"))
        .extracting(event -> event.getString("error"))
        .contains("ENOSPC");
  }

  @Test
  void isSilentUnlessItIsAskedFor() throws Exception {
    Configuration usual = Configuration.getConfiguration("default");
    assertThat(record(new Recording(usual), FlightTest::takeAndOverwrite)).isEmpty();
  }

  @Test
  void makesNoEventWhileNobodyRecords() {
    assertThat(Flight.slowIo()).isNull();
    assertThat(Flight.preserve()).isNull();
  }
}
