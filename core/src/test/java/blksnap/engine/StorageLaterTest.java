package blksnap.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.eventqueue.Event;
import blksnap.sector.SectorRange;
import blksnap.testing.Kill;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Snapshots that are created without storage and are given some later. */
final class StorageLaterTest {
  private static final int BLOCK = 4096;

  @TempDir private Path directory;

  private byte[] old = new byte[0];

  @BeforeEach
  void fillsADisk() throws IOException {
    old = new byte[64 * BLOCK];
    Arrays.fill(old, (byte) 'a');
    Files.createDirectories(directory.resolve("one"));
    Files.write(directory.resolve("more"), new byte[1 << 20]);
  }

  @Test
  void asksForStorageAtOnceAndCannotBeTakenWithout() throws IOException {
    try (var engine = new TestEngine(directory.resolve("one"))) {
      engine.attach("vm1", old);
      engine.ask(creation());
      var event =
          engine.ask(CtrlReply.SnapshotEvent.class, new CtrlRequest.SnapshotWait("later", 0));
      assertThat(event.event().event()).isEqualTo(new Event.LowFreeSpace(2_048));
      assertThat(engine.info("later").storage().limit()).isEmpty();
      assertThatThrownBy(() -> engine.ask(new CtrlRequest.SnapshotTake("later")))
          .isInstanceOfSatisfying(
              BlkSnapException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOSPC))
          .hasMessage("snapshot later has no storage yet");
      append(engine);
      engine.ask(new CtrlRequest.SnapshotTake("later"));
      imageStaysAsItWas(engine);
    }
  }

  @Test
  void goesWithoutStorageAndLeavesNothing() throws IOException {
    try (var engine = new TestEngine(directory.resolve("one"))) {
      engine.attach("vm1", old);
      engine.ask(creation());
      engine.destroy("later");
      engine.create("again", "vm1");
      engine.destroy("again");
    }
  }

  @Test
  void canBeGivenStorageAfterAKill() throws IOException {
    Path home = directory.resolve("one");
    Kill kill;
    try (var engine = new TestEngine(home)) {
      engine.attach("vm1", old);
      engine.ask(creation());
      kill = Kill.at(directory.resolve("copies"), home.resolve("state"), home.resolve("vm1.img"));
    }
    kill.restore();
    try (var engine = new TestEngine(home)) {
      assertThat(engine.info("later").state()).isEqualTo("created");
      append(engine);
      engine.ask(new CtrlRequest.SnapshotTake("later"));
      imageStaysAsItWas(engine);
    }
  }

  @Test
  void takesNoLimitWithoutStorage() throws IOException {
    try (var engine = new TestEngine(directory.resolve("one"))) {
      engine.attach("vm1", old);
      var request =
          new CtrlRequest.SnapshotCreate(
              List.of("vm1"),
              "",
              Optional.of(1L << 30),
              Optional.empty(),
              CtrlRequest.Durability.PROCESS,
              CtrlRequest.OnFull.BREAK,
              false);
      assertThatThrownBy(() -> engine.ask(request))
          .hasMessage("a limit of 1073741824 bytes, and no storage that it limits");
    }
  }

  private static CtrlRequest.SnapshotCreate creation() {
    return new CtrlRequest.SnapshotCreate(
        List.of("vm1"),
        "",
        Optional.empty(),
        Optional.of("later"),
        CtrlRequest.Durability.PROCESS,
        CtrlRequest.OnFull.BREAK,
        false);
  }

  private void append(TestEngine engine) throws IOException {
    Path more = directory.resolve("more");
    engine.ask(
        new CtrlRequest.SnapshotAppendStorage(
            "later", more.toString(), List.of(new SectorRange(0, 2_048))));
  }

  private void imageStaysAsItWas(TestEngine engine) throws IOException {
    byte[] changed = new byte[BLOCK];
    Arrays.fill(changed, (byte) 'b');
    assertThat(engine.write("vm1", 8 * BLOCK, changed)).isZero();
    assertThat(engine.read("vm1@later", 0, old.length)).isEqualTo(old);
    engine.hangUp("vm1");
    engine.hangUp("vm1@later");
  }
}
