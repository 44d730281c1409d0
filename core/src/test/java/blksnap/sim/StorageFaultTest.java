package blksnap.sim;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.device.BlockDevice;
import blksnap.diffarea.FullPolicy;
import blksnap.error.Errno;
import blksnap.eventqueue.Event;
import blksnap.eventqueue.EventQueue;
import blksnap.snapshot.Durability;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotConfig;
import blksnap.testing.Bytes;
import blksnap.testing.Commands;
import blksnap.testing.RealClients;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Diff storage and the state directory fail under a snapshot; the original never notices. */
class StorageFaultTest {
  private static final int BLOCK = 4096;
  private static final int MIB = 1 << 20;

  @TempDir Path directory;

  private static BlockDevice image(Snapshot snapshot) {
    return World.image(snapshot, "vm1");
  }

  private static List<Event> events(Snapshot snapshot) {
    var events = new ArrayList<Event>();
    try {
      for (Optional<EventQueue.Stamped> next = snapshot.events().await(0);
          next.isPresent();
          next = snapshot.events().await(0)) {
        events.add(next.get().event());
      }
    } catch (InterruptedException e) {
      throw new AssertionError("nobody interrupts a test", e);
    }
    return events;
  }

  private interface Damage {
    void to(RandomAccessFile storage) throws IOException;
  }

  private void expectEioAfter(Damage damage) throws IOException {
    try (var world = new World(directory)) {
      var vm1 = world.attach("vm1", Bytes.repeated('a', 64 * BLOCK)).device();
      Snapshot snapshot = world.take(Durability.PROCESS, "vm1");
      Bytes.write(vm1, 0, Bytes.repeated('b', 20 * BLOCK));
      Path storage = directory.resolve("storage0.diff");
      try (var file = new RandomAccessFile(storage.toFile(), "rw")) {
        damage.to(file);
      }

      refused(Errno.EIO, () -> Bytes.read(image(snapshot), 0, 20 * BLOCK));
      refused(Errno.EIO, () -> Bytes.read(image(snapshot), 63 * BLOCK, 512), "corrupt");
      refused(Errno.EIO, () -> Bytes.write(image(snapshot), 0, Bytes.filled('i', 1)), "corrupt");
      assertThat(events(snapshot)).containsExactly(new Event.Corrupted("vm1", Errno.EIO));
      Bytes.write(vm1, 10 * BLOCK, Bytes.repeated('c', 54 * BLOCK));
      assertThat(Bytes.read(vm1, 0, 10 * BLOCK)).containsOnly('b');
      assertThat(Bytes.read(vm1, 10 * BLOCK, 54 * BLOCK)).containsOnly('c');
      world.snapshots().destroy(snapshot);
      assertThat(storage).doesNotExist();
    }
  }

  @Test
  void aBlockThatComesBackWithOneWrongBitIsNeverShown() throws IOException {
    expectEioAfter(storage -> {
      storage.seek(7 * BLOCK + 99);
      int old = storage.read();
      storage.seek(7 * BLOCK + 99);
      storage.write(old ^ 1);
    });
  }

  @Test
  void aBlockThatComesBackFromAnotherPlaceIsNeverShown() throws IOException {
    expectEioAfter(storage -> {
      storage.seek(3 * BLOCK);
      storage.write(Bytes.pattern(1, 0, BLOCK)); // whole and well, and not what was stored there
    });
  }

  @Test
  void storageThatWasCutShortIsNeverShown() throws IOException {
    expectEioAfter(storage -> storage.setLength(3 * BLOCK));
  }

  @Test
  void aFailedBlockOfOneSnapshotDoesNotSpoilTheOther() throws IOException {
    try (var world = new World(directory)) {
      var vm1 = world.attach("vm1", Bytes.repeated('a', 64 * BLOCK)).device();
      Snapshot older = world.take(Durability.PROCESS, "vm1");
      Bytes.write(vm1, 0, Bytes.repeated('b', 8 * BLOCK));
      Snapshot newer = world.take(Durability.PROCESS, "vm1");
      Bytes.write(vm1, 0, Bytes.repeated('c', 8 * BLOCK));
      try (var file = new RandomAccessFile(directory.resolve("storage1.diff").toFile(), "rw")) {
        file.seek(BLOCK);
        file.write(new byte[8 * BLOCK]);
      }
      refused(Errno.EIO, () -> Bytes.read(image(newer), 0, BLOCK));
      assertThat(Bytes.read(image(older), 0, 64 * BLOCK)).containsOnly('a');
      world.snapshots().destroy(newer);
      assertThat(Bytes.read(image(older), 0, 64 * BLOCK)).containsOnly('a');
    }
  }

  @Test
  void storageThatWasRemovedBehindItsBackIsStillThere() throws IOException {
    try (var world = new World(directory)) {
      var vm1 = world.attach("vm1", Bytes.repeated('a', 64 * BLOCK)).device();
      Snapshot snapshot = world.take(Durability.PROCESS, "vm1");
      Bytes.write(vm1, 0, Bytes.repeated('b', 8 * BLOCK));
      Files.delete(directory.resolve("storage0.diff"));
      Bytes.write(vm1, 8 * BLOCK, Bytes.repeated('b', 8 * BLOCK));
      assertThat(Bytes.read(image(snapshot), 0, 64 * BLOCK)).containsOnly('a');
      world.snapshots().destroy(snapshot);
      assertThat(world.storages().all()).isEmpty();
    }
  }

  /** A file system of so few bytes, mounted for one test. */
  private static final class SmallFileSystem implements AutoCloseable {
    private final Path path;

    SmallFileSystem(Path path, int bytes) throws IOException {
      this.path = Files.createDirectories(path);
      RealClients.require(
          Commands.works("mount", "-t", "tmpfs", "-o", "size=" + bytes, "blksnap", path.toString()),
          "a small file system needs root and mount");
    }

    @Override
    public void close() throws IOException {
      Commands.run("umount", path.toString());
    }
  }

  @Test
  void aFullFileSystemUnderTheStorageBreaksTheSnapshotAlone() throws IOException {
    Path small = directory.resolve("small");
    try (var fileSystem = new SmallFileSystem(small, MIB);
        var world = new World(directory)) {
      assertThat(fileSystem.path).isEmptyDirectory();
      var vm1 = world.attach("vm1", Bytes.repeated('a', 4 * MIB)).device();
      Snapshot snapshot =
          world
              .snapshots()
              .create(
                  List.of("vm1"),
                  small.resolve("s.diff"),
                  OptionalLong.empty(),
                  new SnapshotConfig("s", Durability.PROCESS, FullPolicy.BREAK));
      world.snapshots().take(snapshot);
      for (int at = 0; at < 4 * MIB; at += 8 * BLOCK) {
        Bytes.write(vm1, at, Bytes.repeated('b', 8 * BLOCK));
      }

      assertThat(Bytes.read(vm1, 0, 4 * MIB)).containsOnly('b');
      refused(Errno.EIO, () -> Bytes.read(image(snapshot), 0, BLOCK), "ENOSPC");
      assertThat(events(snapshot))
          .startsWith(new Event.LowFreeSpace(2_048))
          .endsWith(new Event.Corrupted("vm1", Errno.ENOSPC));
      world.snapshots().destroy(snapshot);
      assertThat(small).isEmptyDirectory();
    }
  }

  @Test
  void aFullStateDirectoryBreaksTheSnapshotAlone() throws IOException {
    try (var fileSystem = new SmallFileSystem(directory.resolve("state"), MIB);
        var world = new World(directory)) {
      assertThat(fileSystem.path).isNotEmptyDirectory();
      var vm1 = world.attach("vm1", Bytes.repeated('a', 12 * MIB)).device();
      Snapshot snapshot = world.take(Durability.PROCESS, "vm1");
      for (int at = 0; at < 12 * MIB; at += 64 * BLOCK) {
        Bytes.write(vm1, at, Bytes.repeated('b', 64 * BLOCK)); // over 2046 mappings
      }

      assertThat(Bytes.read(vm1, 0, 12 * MIB)).containsOnly('b');
      refused(Errno.EIO, () -> Bytes.read(image(snapshot), 0, BLOCK), "ENOSPC");
      assertThat(events(snapshot)).containsExactly(new Event.Corrupted("vm1", Errno.ENOSPC));
      world.snapshots().destroy(snapshot);
      assertThat(world.storages().all()).isEmpty();
    }
  }

  @Test
  void aTakeWithoutRoomForItsFilesIsRefusedAndCanBeRetried() throws IOException {
    try (var fileSystem = new SmallFileSystem(directory.resolve("state"), MIB);
        var world = new World(directory)) {
      var vm1 = world.attach("vm1", Bytes.repeated('a', 64 * BLOCK)).device();
      Snapshot snapshot =
          world.create(Durability.PROCESS, OptionalLong.empty(), FullPolicy.BREAK, "vm1");
      Path ballast = fileSystem.path.resolve("ballast");
      try (var file = new RandomAccessFile(ballast.toFile(), "rw")) {
        byte[] page = new byte[BLOCK];
        while (true) {
          file.write(page);
        }
      } catch (IOException e) {
        assertThat(e).hasMessageContaining("No space left");
      }
      refused(Errno.ENOSPC, () -> world.snapshots().take(snapshot));
      assertThat(world.log().since(0, 1_000))
          .anySatisfy(line -> assertThat(line.text()).contains(": not taken: "));
      assertThat(snapshot.view().state()).isEqualTo(Snapshot.State.CREATED);
      Bytes.write(vm1, 0, Bytes.repeated('b', 64 * BLOCK));

      Files.delete(ballast);
      world.snapshots().take(snapshot);
      Bytes.write(vm1, 0, Bytes.repeated('c', 64 * BLOCK));
      assertThat(Bytes.read(image(snapshot), 0, 64 * BLOCK)).containsOnly('b');
    }
  }
}
