package blksnap.sim;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.cbt.CbtMap;
import blksnap.device.BlockDevice;
import blksnap.diffarea.FullPolicy;
import blksnap.error.Errno;
import blksnap.eventqueue.Event;
import blksnap.log.LogRing;
import blksnap.sector.ByteRange;
import blksnap.snapshot.Durability;
import blksnap.snapshot.Snapshot;
import blksnap.testing.Bytes;
import blksnap.testing.Commands;
import blksnap.testing.LoopDevice;
import blksnap.testing.Threads;
import blksnap.tracker.TrackedDevice;
import blksnap.tracker.TrackerTable;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Devices become larger and smaller, by us and by others, under snapshots that are held. */
@Timeout(120)
class ResizeTest {
  private static final int BLOCK = 4096;
  private static final int SIZE = 64 * BLOCK;

  @TempDir Path directory;

  @SuppressWarnings("NullAway.Init") // before each test
  private World world;

  @SuppressWarnings("NullAway.Init") // before each test
  private TrackedDevice vm1;

  @BeforeEach
  void attach() throws IOException {
    world = new World(directory);
    vm1 = world.attach("vm1", Bytes.repeated('a', SIZE)).device();
  }

  @AfterEach
  void close() throws IOException {
    world.close();
  }

  private static BlockDevice image(Snapshot snapshot) {
    return World.image(snapshot, "vm1");
  }

  private Path file() {
    return directory.resolve("vm1.img");
  }

  /** What others do to the file. */
  private void makeTheFile(long bytes) throws IOException {
    try (var file = new RandomAccessFile(file().toFile(), "rw")) {
      file.setLength(bytes);
    }
  }

  private TrackerTable.Resized resize(OptionalLong size, boolean force) throws IOException {
    return world.trackers().resize("vm1", size, force);
  }

  private long logged(LogRing.Level level, String part) {
    return world.log().since(0, 1_000).stream()
        .filter(line -> line.level() == level && line.text().contains(part))
        .count();
  }

  @Test
  void growsTheFileByAHoleAndImagesKeepTheirSize() throws IOException {
    Snapshot before = world.take(Durability.PROCESS, "vm1");
    assertThat(resize(OptionalLong.of(2 * SIZE), false))
        .isEqualTo(new TrackerTable.Resized(SIZE, 2 * SIZE));
    Snapshot after = world.take(Durability.PROCESS, "vm1");
    Bytes.write(vm1, SIZE - BLOCK, Bytes.repeated('b', 2 * BLOCK));

    assertThat(Files.size(file())).isEqualTo(2 * SIZE);
    assertThat(image(before).sizeBytes()).isEqualTo(SIZE);
    assertThat(Bytes.read(image(before), 0, SIZE)).containsOnly('a');
    assertThat(image(after).sizeBytes()).isEqualTo(2 * SIZE);
    assertThat(Bytes.read(image(after), 0, SIZE)).containsOnly('a');
    assertThat(Bytes.read(image(after), SIZE, SIZE)).containsOnly(0);
    assertThat(resize(OptionalLong.of(2 * SIZE), false))
        .as("again")
        .isEqualTo(new TrackerTable.Resized(2 * SIZE, 2 * SIZE));
  }

  @Test
  void cutsNothingOffWithoutForceAndPreservesWhatItCuts() throws IOException {
    Snapshot snapshot = world.take(Durability.PROCESS, "vm1");
    Bytes.write(vm1, SIZE - BLOCK, Bytes.repeated('b', BLOCK));
    refused(Errno.EINVAL, () -> resize(OptionalLong.of(SIZE / 2), false), "cut off");
    assertThat(Files.size(file())).isEqualTo(SIZE);

    resize(OptionalLong.of(SIZE / 2), true);

    assertThat(Files.size(file())).isEqualTo(SIZE / 2);
    assertThat(Bytes.read(image(snapshot), 0, SIZE)).containsOnly('a');
    Bytes.write(vm1, 0, Bytes.repeated('c', SIZE / 2));
    assertThat(Bytes.read(image(snapshot), 0, SIZE)).containsOnly('a');
    assertThat(snapshot.part("vm1").orElseThrow().corruption()).isEmpty();
  }

  @Test
  void whoBelievesInTheOldSizeIsRefusedBeyondTheNewOne() throws IOException {
    resize(OptionalLong.of(SIZE / 2), true);
    refused(Errno.EINVAL, () -> Bytes.read(vm1, SIZE / 2 - 512, 1024), "it shrank");
    refused(Errno.EINVAL, () -> vm1.allocation(SIZE / 2, 512, 1), "it shrank");
    refused(Errno.ENOSPC, () -> Bytes.write(vm1, SIZE - BLOCK, new byte[BLOCK]), "it shrank");
    refused(Errno.ENOSPC, () -> vm1.writeZeroes(SIZE - BLOCK, BLOCK, true), "it shrank");
    refused(Errno.ENOSPC, () -> vm1.discard(SIZE - BLOCK, BLOCK), "it shrank");
    assertThatExceptionOfType(IndexOutOfBoundsException.class)
        .as("a size that nobody was ever told")
        .isThrownBy(() -> Bytes.read(vm1, SIZE, 512));
    assertThat(Bytes.read(vm1, 0, SIZE / 2)).containsOnly('a');
  }

  @Test
  void aSizeThatOthersGaveIsToldOnceAndTakenOver() throws IOException {
    Snapshot snapshot = world.take(Durability.PROCESS, "vm1");
    makeTheFile(3L * SIZE + 100);
    world.trackers().lookAtSizes();
    world.trackers().lookAtSizes();
    assertThat(logged(LogRing.Level.WARNING, "'blksnap resize vm1' takes them over")).isOne();
    assertThat(vm1.sizeBytes()).isEqualTo(SIZE);

    assertThat(resize(OptionalLong.empty(), false))
        .isEqualTo(new TrackerTable.Resized(SIZE, 3 * SIZE));

    assertThat(Files.size(file())).as("nothing is cut off").isEqualTo(3L * SIZE + 100);
    Bytes.write(vm1, 3 * SIZE - BLOCK, Bytes.repeated('b', BLOCK));
    assertThat(vm1.readMap(map -> map.changedSince(map.previous(), 0, 9)).ranges())
        .as("what is new counts as changed")
        .containsExactly(new ByteRange(SIZE, 2 * SIZE));
    assertThat(Bytes.read(image(snapshot), 0, SIZE)).containsOnly('a');
  }

  private static List<Event> events(Snapshot snapshot) throws InterruptedException {
    return java.util.stream.Stream.generate(
            () -> {
              try {
                return snapshot.events().await(0);
              } catch (InterruptedException e) {
                throw new AssertionError("nobody interrupts a test", e);
              }
            })
        .takeWhile(Optional::isPresent)
        .map(event -> event.orElseThrow().event())
        .toList();
  }

  @Test
  void whatOthersCutOffIsLostToTheSnapshotsThatNeededItAndToNoOther() throws Exception {
    var vm2 = world.attach("vm2", Bytes.repeated('A', SIZE)).device();
    Snapshot loser = world.take(Durability.PROCESS, "vm1", "vm2");
    Bytes.write(vm1, SIZE / 2, Bytes.repeated('b', SIZE / 2 - BLOCK)); // all of it but a block

    makeTheFile(SIZE / 2);
    world.trackers().lookAtSizes();
    world.trackers().lookAtSizes();

    assertThat(logged(LogRing.Level.ERROR, "others changed its size from 262144 to 131072"))
        .isOne();
    assertThat(events(loser)).containsExactly(new Event.Corrupted("vm1", Errno.EIO));
    refused(Errno.EIO, () -> Bytes.read(image(loser), 0, BLOCK), "corrupt");
    var other = World.image(loser, "vm2");
    Bytes.write(vm2, 0, Bytes.repeated('B', SIZE));
    assertThat(Bytes.read(other, 0, SIZE)).containsOnly('A');
    Bytes.write(vm1, 0, Bytes.repeated('c', SIZE / 2));
    assertThat(Bytes.read(vm1, 0, SIZE / 2)).containsOnly('c');

    resize(OptionalLong.empty(), false);
    Snapshot next = world.take(Durability.PROCESS, "vm1");
    Bytes.write(vm1, 0, Bytes.repeated('d', SIZE / 2));
    assertThat(Bytes.read(image(next), 0, SIZE / 2)).containsOnly('c');
  }

  @Test
  void whatWasPreservedBeforeOthersCutItOffIsStillShown() throws Exception {
    Snapshot snapshot = world.take(Durability.PROCESS, "vm1");
    Bytes.write(vm1, SIZE / 2, Bytes.repeated('b', SIZE / 2));
    makeTheFile(SIZE / 2);
    world.trackers().lookAtSizes();
    assertThat(Bytes.read(image(snapshot), 0, SIZE)).containsOnly('a');
    assertThat(events(snapshot)).isEmpty();
    resize(OptionalLong.empty(), false);
    assertThat(Bytes.read(image(snapshot), 0, SIZE)).containsOnly('a');
  }

  @Test
  void whatOthersCutOffIsNeverTakenForZeroes() throws Exception {
    Snapshot snapshot = world.take(Durability.PROCESS, "vm1");
    makeTheFile(SIZE / 2);
    refused(Errno.EIO, () -> Bytes.read(image(snapshot), SIZE - BLOCK, BLOCK));

    // Makes the file longer again, with a hole; nobody has looked at its size yet.
    Bytes.write(vm1, SIZE - BLOCK, Bytes.repeated('b', BLOCK));

    assertThat(Bytes.read(vm1, SIZE - BLOCK, BLOCK)).containsOnly('b');
    refused(Errno.EIO, () -> Bytes.read(image(snapshot), SIZE - BLOCK, BLOCK), "corrupt");
    assertThat(events(snapshot)).containsExactly(new Event.Corrupted("vm1", Errno.EIO));
  }

  @Test
  void growingBackWhatOthersCutOffDoesNotBringItBack() throws Exception {
    Snapshot snapshot = world.take(Durability.PROCESS, "vm1");
    UUID generation = vm1.readMap(CbtMap::generation);
    makeTheFile(SIZE / 2);
    resize(OptionalLong.of(SIZE), false);
    assertThat(Bytes.read(vm1, SIZE / 2, SIZE / 2)).containsOnly(0);
    refused(Errno.EIO, () -> Bytes.read(image(snapshot), SIZE - BLOCK, BLOCK), "corrupt");
    assertThat(vm1.readMap(CbtMap::generation)).isNotEqualTo(generation);
  }

  @Test
  void refusesSizesThatNoDeviceCanHave() {
    for (long size : new long[] {0, -512, 1, 511, 513}) {
      refused(Errno.EINVAL, () -> resize(OptionalLong.of(size), true), "multiple of 512");
    }
    refused(Errno.ENODEV, () -> world.trackers().resize("vm9", OptionalLong.empty(), false));
  }

  @Test
  void aReadOnlyDeviceTakesOverASizeAndMakesNone() throws IOException {
    Path image = Files.write(directory.resolve("ro.img"), Bytes.repeated('r', SIZE));
    var ro = world.trackers().attach(image, Optional.of("ro"), true, false).device();
    refused(Errno.EPERM, () -> world.trackers().resize("ro", OptionalLong.of(2 * SIZE), true));
    assertThat(ro.sizeBytes()).isEqualTo(SIZE);
    Files.write(image, Bytes.repeated('r', 2 * SIZE));
    world.trackers().resize("ro", OptionalLong.empty(), false);
    assertThat(Bytes.read(ro, 0, 2 * SIZE)).containsOnly('r');
  }

  @Test
  void aBlockDeviceThatGrewIsTakenOver() throws IOException {
    LoopDevice.require();
    Path below = Files.write(directory.resolve("below"), Bytes.repeated('a', SIZE));
    try (LoopDevice loop = LoopDevice.attach(below, 512)) {
      var disk = world.trackers().attach(loop.path(), Optional.of("disk"), false, false).device();
      refused(
          Errno.ENOTSUP, () -> world.trackers().resize("disk", OptionalLong.of(2 * SIZE), true));
      Commands.run("truncate", "--size=" + 2 * SIZE, below.toString());
      Commands.run("losetup", "--set-capacity", loop.path().toString());
      world.trackers().resize("disk", OptionalLong.empty(), false);
      Bytes.write(disk, SIZE, Bytes.repeated('b', SIZE));
      assertThat(Bytes.read(disk, 0, SIZE)).containsOnly('a');
      assertThat(Bytes.read(disk, SIZE, SIZE)).containsOnly('b');
      world.trackers().detach("disk");
    }
  }

  @Test
  void aTakeThatADeviceIsResizedUnderIsRefusedAndCanBeTriedAgain() throws Exception {
    Snapshot snapshot =
        world.create(Durability.PROCESS, OptionalLong.empty(), FullPolicy.BREAK, "vm1");
    try (ExecutorService threads = Executors.newCachedThreadPool()) {
      Future<Boolean> resize;
      Future<Boolean> take;
      vm1.gate().close();
      try { // both wait at the gate, the resize in front
        resize =
            Threads.submitAndAwaitBlocked(threads, () -> resize(OptionalLong.of(2 * SIZE), false));
        take = Threads.submitAndAwaitBlocked(threads, () -> world.snapshots().take(snapshot));
      } finally {
        vm1.gate().open();
      }
      assertThat(resize).succeedsWithin(1, TimeUnit.MINUTES);
      assertThat(take)
          .failsWithin(1, TimeUnit.MINUTES)
          .withThrowableThat()
          .withMessageContaining("resized during the take");
    }
    world.snapshots().take(snapshot);
    assertThat(image(snapshot).sizeBytes()).isEqualTo(2 * SIZE);
  }
}
