package blksnap.defects;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.Errno;
import blksnap.eventqueue.Event;
import blksnap.sector.ByteRange;
import blksnap.sim.World;
import blksnap.snapshot.Durability;
import blksnap.snapshot.Snapshot;
import blksnap.testing.Bytes;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Defects of snapshots, their images and their storage. */
class SnapshotDefectsTest {
  private static final int BLOCK = 4096;
  private static final int MIB = 1 << 20;

  @TempDir Path directory;

  private static Event next(TestEngine engine, String snapshot) throws IOException {
    return engine
        .ask(CtrlReply.SnapshotEvent.class, new CtrlRequest.SnapshotWait(snapshot, 0))
        .event()
        .event();
  }

  private static void expectNoEvent(TestEngine engine, String snapshot) {
    refused(Errno.ETIMEDOUT, () -> engine.ask(new CtrlRequest.SnapshotWait(snapshot, 0)), snapshot);
  }

  // D3
  @Test
  void aSecondSnapshotOfADeviceDoesNotDisturbTheFirst() throws IOException {
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", Bytes.repeated('a', 64 * BLOCK));
      engine.take("s1", "vm1");
      engine.write("vm1", 0, Bytes.repeated('b', 32 * BLOCK));
      engine.take("s2", "vm1");
      engine.write("vm1", 16 * BLOCK, Bytes.repeated('c', 32 * BLOCK));

      assertThat(engine.read("vm1@s1", 0, 64 * BLOCK)).containsOnly('a');
      assertThat(engine.read("vm1@s2", 0, 32 * BLOCK)).containsOnly('b');
      assertThat(engine.read("vm1@s2", 32 * BLOCK, 32 * BLOCK)).containsOnly('a');
      engine.destroy("s2");
      assertThat(engine.read("vm1@s1", 0, 64 * BLOCK)).containsOnly('a');
      engine.write("vm1", 0, Bytes.repeated('d', 64 * BLOCK));
      assertThat(engine.read("vm1@s1", 0, 64 * BLOCK)).containsOnly('a');
      assertThat(engine.read("vm1", 0, 64 * BLOCK)).containsOnly('d');
    }
  }

  // D5
  @Test
  void aGrownDeviceIsStillPreservedAndTracked() throws IOException {
    try (var world = new World(directory)) {
      var vm1 = world.attach("vm1", Bytes.repeated('a', 64 * BLOCK)).device();
      Snapshot snapshot = world.take(Durability.PROCESS, "vm1");
      world.trackers().resize("vm1", OptionalLong.of(80 * BLOCK), true);
      Bytes.write(vm1, 60 * BLOCK, Bytes.repeated('b', 20 * BLOCK));

      var image = World.image(snapshot, "vm1");
      assertThat(image.sizeBytes()).isEqualTo(64 * BLOCK);
      assertThat(Bytes.read(image, 0, 64 * BLOCK)).containsOnly('a');
      assertThat(vm1.readMap(map -> map.changedSince(map.previous(), 0, 9)).ranges())
          .containsExactly(new ByteRange(60L * BLOCK, 20L * BLOCK));
    }
  }

  // D7
  @Test
  void readsOfACorruptImageFailEverywhereAndTheDeviceGoesOn() throws IOException {
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", Bytes.repeated('a', MIB));
      engine.attach("vm2", Bytes.repeated('A', MIB));
      engine.takeWithin(64 << 10, "s1", "vm1", "vm2");
      assertThat(engine.write("vm2", 0, Bytes.repeated('B', BLOCK))).isZero();

      assertThat(engine.write("vm1", 0, Bytes.repeated('b', 512 << 10))).isZero();

      assertThat(engine.read("vm1", 0, 512 << 10)).containsOnly('b');
      assertThat(engine.errorOfRead("vm1@s1", 0, 512)).as("preserved").isEqualTo(5);
      assertThat(engine.errorOfRead("vm1@s1", 400 << 10, BLOCK)).as("overwritten").isEqualTo(5);
      assertThat(engine.errorOfRead("vm1@s1", 900 << 10, BLOCK)).as("untouched").isEqualTo(5);
      assertThat(engine.write("vm1@s1", 0, Bytes.filled('i', 8))).isEqualTo(5);
      assertThat(engine.read("vm2@s1", 0, MIB)).as("the other device").containsOnly('A');
      assertThat(engine.info("s1").devices())
          .extracting(device -> device.errno().map(Errno::name).orElse("good"))
          .containsExactly("ENOSPC", "good");
      assertThat(engine.cat("/sys/block/vm1@s1/errno")).isEqualTo("28");
      assertThat(next(engine, "s1")).isInstanceOf(Event.LowFreeSpace.class);
      assertThat(next(engine, "s1")).isEqualTo(new Event.NoSpace(2_048));
      assertThat(next(engine, "s1")).isEqualTo(new Event.Corrupted("vm1", Errno.ENOSPC));
      expectNoEvent(engine, "s1");
    }
  }

  // D8
  @Test
  void storageGivenAfterAnOverflowHelpsTheOtherDevicesAndTheNextSnapshot() throws IOException {
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", Bytes.repeated('a', MIB));
      engine.attach("vm2", Bytes.repeated('A', MIB));
      engine.takeWithin(64 << 10, "s1", "vm1", "vm2");
      engine.write("vm1", 0, Bytes.repeated('b', 512 << 10));
      Path more = directory.resolve("more.diff");
      TrackingDefectsTest.sparse(more, 2 * MIB);
      engine.ask(new CtrlRequest.SnapshotAppendStorage("s1", more.toString(), List.of()));

      engine.write("vm2", 0, Bytes.repeated('B', MIB));
      engine.take("s2", "vm1");
      engine.write("vm1", 0, Bytes.repeated('c', MIB));

      assertThat(engine.errorOfRead("vm1@s1", 0, 512)).as("stays corrupt").isEqualTo(5);
      assertThat(engine.read("vm2@s1", 0, MIB)).containsOnly('A');
      assertThat(engine.read("vm1@s2", 0, 512 << 10)).containsOnly('b');
      assertThat(engine.read("vm1@s2", 512 << 10, 512 << 10)).containsOnly('a');
    }
  }

  // D9
  @Test
  void theWarningComesWhenSpaceIsReallyLowAndOnce() throws IOException {
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", Bytes.repeated('a', 8 * MIB));
      engine.takeWithin(8 * MIB, "s1", "vm1");
      engine.write("vm1", 0, Bytes.repeated('b', 6 * MIB));
      expectNoEvent(engine, "s1");

      engine.write("vm1", 6 * MIB, Bytes.repeated('b', MIB + MIB * 3 / 4));

      assertThat(next(engine, "s1")).isEqualTo(new Event.LowFreeSpace(2_048));
      expectNoEvent(engine, "s1");
      assertThat(engine.info("s1").storage().free()).isBetween(1L, 512L << 10);

      Path more = directory.resolve("more.diff");
      TrackingDefectsTest.sparse(more, 16 * MIB); // more than was asked for
      engine.ask(new CtrlRequest.SnapshotAppendStorage("s1", more.toString(), List.of()));
      engine.ask(new CtrlRequest.SnapshotTake(createOn(engine, "s2")));
      engine.destroy("s2");
      expectNoEvent(engine, "s1");
    }
  }

  private static String createOn(TestEngine engine, String name) throws IOException {
    engine.create(name, "vm1");
    return name;
  }

  // D11
  @Test
  void aFailedTakeLeavesTheSnapshotAsItWasAndCanBeRetried() throws IOException {
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", Bytes.repeated('a', 64 * BLOCK));
      engine.attach("vm2", Bytes.repeated('A', 64 * BLOCK));
      engine.create("s1", "vm1", "vm2");
      UUID id = engine.info("s1").id();
      Path obstacle = directory.resolve("state/snapshots/" + id + "/snapshot.new");
      Files.createDirectories(obstacle.resolve("in-the-way"));
      refused(Errno.EIO, () -> engine.ask(new CtrlRequest.SnapshotTake("s1")), "snapshot");

      assertThat(engine.info("s1").state()).isEqualTo("created");
      refused(Errno.ENODEV, () -> engine.ask(new CtrlRequest.SnapshotImages("s1")), "s1");
      assertThat(engine.write("vm1", 0, Bytes.repeated('b', 64 * BLOCK))).isZero();
      assertThat(engine.info("s1").storage().filled()).as("nothing is preserved").isZero();

      Files.delete(obstacle.resolve("in-the-way"));
      Files.delete(obstacle);
      engine.ask(new CtrlRequest.SnapshotTake("s1"));
      engine.write("vm1", 0, Bytes.repeated('c', 64 * BLOCK));
      engine.write("vm2", 0, Bytes.repeated('C', 64 * BLOCK));
      assertThat(engine.read("vm1@s1", 0, 64 * BLOCK)).containsOnly('b');
      assertThat(engine.read("vm2@s1", 0, 64 * BLOCK)).containsOnly('A');
    }
  }

  // D17
  @Test
  void aSnapshotOfNoDevicesIsRefused() throws IOException {
    try (var engine = new TestEngine(directory)) {
      refused(Errno.EINVAL, () -> engine.create("s1"), "at least one device");
      assertThat(directory.resolve("s1.diff")).doesNotExist();
    }
  }

  // D18
  @Test
  void everySnapshotIsFoundByItsIdHoweverManyThereAre() throws IOException {
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", Bytes.repeated('a', 64 * BLOCK));
      Map<String, UUID> ids = new HashMap<>();
      for (String name : List.of("s1", "s2", "s3", "s4")) {
        engine.take(name, "vm1");
        ids.put(name, engine.info(name).id());
      }
      for (Map.Entry<String, UUID> entry : ids.entrySet()) {
        assertThat(engine.info(entry.getValue().toString()).name()).isEqualTo(entry.getKey());
      }

      engine.destroy(String.valueOf(ids.get("s2")));

      assertThat(engine.ask(CtrlReply.Snapshots.class, new CtrlRequest.SnapshotList()).snapshots())
          .extracting(CtrlReply.SnapshotEntry::name)
          .containsExactlyInAnyOrder("s1", "s3", "s4");
      for (String name : List.of("s1", "s3", "s4")) {
        engine.destroy(String.valueOf(ids.get(name)));
      }
    }
  }

  // D21
  @Test
  void aTakeThatFrozeNoFileSystemSaysSo() throws IOException {
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", Bytes.zeroes(4 * BLOCK));
      engine.create("s1", "vm1");
      assertThat(engine.info("s1").consistency()).isEmpty();

      engine.ask(new CtrlRequest.SnapshotTake("s1"));

      assertThat(engine.info("s1").consistency())
          .contains(new CtrlReply.Consistency("crash-consistent", "no file system was frozen"));
      assertThat(engine.cat("/sys/fs/blksnap/s1/consistency")).isEqualTo("crash-consistent");
    }
  }
}
