package blksnap.sim;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.device.BlockDevice;
import blksnap.error.Errno;
import blksnap.eventqueue.Event;
import blksnap.log.LogRing;
import blksnap.snapshot.Durability;
import blksnap.snapshot.Snapshot;
import blksnap.testing.Bytes;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Others do something to files of diff storage, which is noticed before anybody reads there. */
class StorageWatchTest {
  private static final int BLOCK = 4096;
  private static final int SIZE = 64 * BLOCK;

  @TempDir Path directory;

  @SuppressWarnings("NullAway.Init") // before each test
  private World world;

  @SuppressWarnings("NullAway.Init") // before each test
  private BlockDevice vm1;

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

  private long errors() {
    return world.log().since(0, 1_000).stream()
        .filter(line -> line.level() == LogRing.Level.ERROR)
        .count();
  }

  private void cut(String storage, long bytes) throws IOException {
    try (var file = new RandomAccessFile(directory.resolve(storage).toFile(), "rw")) {
      file.setLength(bytes);
    }
  }

  private static void expectCorrupt(Snapshot snapshot) throws Exception {
    expectEvents(snapshot, new Event.Corrupted("vm1", Errno.EIO));
    refused(Errno.EIO, () -> Bytes.read(image(snapshot), SIZE - BLOCK, BLOCK), "corrupt");
  }

  private static void expectEvents(Snapshot snapshot, Event... events) throws Exception {
    for (Event event : events) {
      assertThat(snapshot.events().await(0).orElseThrow().event()).isEqualTo(event);
    }
    assertThat(snapshot.events().await(0)).isEmpty();
  }

  /** Of who owns the storage that was cut, and needs what is gone. */
  private void expectToldAndCorrupt(Snapshot snapshot, String storage, long bytes)
      throws Exception {
    assertThat(snapshot.events().await(0).orElseThrow().event())
        .isEqualTo(
            new Event.StorageTrouble(
                "diff storage " + directory.resolve(storage) + " was cut to " + bytes + " bytes"));
    expectCorrupt(snapshot);
  }

  @Test
  void aStorageThatOthersLeaveAloneIsNothingToTell() throws IOException {
    Snapshot snapshot = world.take(Durability.PROCESS, "vm1");
    Bytes.write(vm1, 0, Bytes.repeated('b', SIZE));
    world.snapshots().lookAtStorages();
    assertThat(snapshot.storage().trouble()).isEmpty();
    assertThat(errors()).isZero();
  }

  @Test
  void aRemovedFileIsToldOnceAndServesOn() throws Exception {
    Snapshot snapshot = world.take(Durability.PROCESS, "vm1");
    Bytes.write(vm1, 0, Bytes.repeated('b', SIZE / 2));
    Files.delete(directory.resolve("storage0.diff"));
    world.snapshots().lookAtStorages();
    world.snapshots().lookAtStorages();

    assertThat(snapshot.storage().trouble().orElseThrow()).contains("storage0.diff was removed");
    assertThat(errors()).isOne();
    expectEvents(snapshot, new Event.StorageTrouble(snapshot.storage().trouble().orElseThrow()));
    Bytes.write(vm1, SIZE / 2, Bytes.repeated('b', SIZE / 2));
    assertThat(Bytes.read(image(snapshot), 0, SIZE)).containsOnly('a');
  }

  @Test
  void aFileThatAnotherTookThePlaceOfIsTold() throws IOException {
    Snapshot snapshot = world.take(Durability.PROCESS, "vm1");
    Path storage = directory.resolve("storage0.diff");
    Files.move(storage, directory.resolve("elsewhere"));
    Files.write(storage, Bytes.repeated('x', BLOCK));
    world.snapshots().lookAtStorages();
    assertThat(snapshot.storage().trouble().orElseThrow()).contains("was replaced");
    Bytes.write(vm1, 0, Bytes.repeated('b', SIZE));
    assertThat(Bytes.read(image(snapshot), 0, SIZE)).containsOnly('a');
    assertThat(Files.readAllBytes(storage)).as("not ours").containsOnly('x');
  }

  @Test
  void aCutFileBreaksEverySnapshotThatNeedsWhatIsGoneAndNoOther() throws Exception {
    Snapshot oldest = world.take(Durability.PROCESS, "vm1");
    Bytes.write(vm1, 0, Bytes.repeated('b', 8 * BLOCK));
    Snapshot middle = world.take(Durability.PROCESS, "vm1"); // its storage is cut
    Bytes.write(vm1, 0, Bytes.repeated('c', 16 * BLOCK));
    Snapshot newest = world.take(Durability.PROCESS, "vm1");
    Bytes.write(vm1, 0, Bytes.repeated('d', 4 * BLOCK));

    cut("storage1.diff", 5 * BLOCK); // the header and blocks 0 to 3 are left
    world.snapshots().lookAtStorages();
    world.snapshots().lookAtStorages();

    expectToldAndCorrupt(middle, "storage1.diff", 5 * BLOCK);
    expectCorrupt(oldest); // it has blocks 0 to 7 of its own, and leans on the rest
    assertThat(middle.storage().trouble().orElseThrow()).contains("cut to 20480 bytes");
    assertThat(newest.events().await(0)).isEmpty();
    assertThat(Bytes.read(image(newest), 0, 16 * BLOCK)).containsOnly('c');
    Bytes.write(vm1, 0, Bytes.repeated('e', SIZE));
    assertThat(Bytes.read(vm1, 0, SIZE)).containsOnly('e');
    assertThat(Bytes.read(image(newest), 0, 16 * BLOCK)).containsOnly('c');
    world.snapshots().destroy(middle);
    assertThat(Bytes.read(image(newest), 0, 16 * BLOCK)).containsOnly('c');
  }

  @Test
  void anOlderSnapshotThatHasItsOwnCopiesStaysGood() throws Exception {
    Snapshot older = world.take(Durability.PROCESS, "vm1");
    Bytes.write(vm1, 0, Bytes.repeated('b', 16 * BLOCK));
    Snapshot newer = world.take(Durability.PROCESS, "vm1");
    Bytes.write(vm1, 0, Bytes.repeated('c', 16 * BLOCK));
    cut("storage1.diff", 5 * BLOCK);
    world.snapshots().lookAtStorages();
    expectToldAndCorrupt(newer, "storage1.diff", 5 * BLOCK);
    assertThat(older.events().await(0)).isEmpty();
    assertThat(Bytes.read(image(older), 0, SIZE)).containsOnly('a');
  }

  @Test
  void aCutThatTookNothingIsToldAndBreaksNothing() throws Exception {
    Snapshot snapshot = world.take(Durability.PROCESS, "vm1");
    Bytes.write(vm1, 0, Bytes.repeated('b', 4 * BLOCK));
    cut("storage0.diff", 5 * BLOCK);
    world.snapshots().lookAtStorages();
    assertThat(errors()).isOne();
    expectEvents(
        snapshot,
        new Event.StorageTrouble("diff storage " + snapshot.storage().trouble().orElseThrow()));
    Bytes.write(vm1, 4 * BLOCK, Bytes.repeated('b', SIZE - 4 * BLOCK));
    assertThat(Bytes.read(image(snapshot), 0, SIZE)).containsOnly('a');
  }

  @Test
  void whatWasWrittenToAnImageIsLostWithItsStorage() throws Exception {
    Snapshot snapshot = world.take(Durability.PROCESS, "vm1");
    Bytes.write(image(snapshot), 0, Bytes.repeated('i', 8 * BLOCK));
    cut("storage0.diff", BLOCK);
    world.snapshots().lookAtStorages();
    expectToldAndCorrupt(snapshot, "storage0.diff", BLOCK);
  }
}
