package blksnap.sim;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.device.BlockDevice;
import blksnap.diffarea.FullPolicy;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.eventqueue.Event;
import blksnap.linux.DeadFileSystem;
import blksnap.log.LogRing;
import blksnap.snapshot.Durability;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotConfig;
import blksnap.testing.Bytes;
import blksnap.testing.Commands;
import blksnap.testing.LoopDevice;
import blksnap.testing.LoopFileSystem;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The file system below diff storage fails, for real. Needs root. */
@Timeout(120)
class DyingFileSystemTest {
  private static final int BLOCK = 4096;
  private static final int SIZE = 64 * BLOCK;

  @TempDir Path directory;

  @SuppressWarnings("NullAway.Init") // before each test
  private LoopFileSystem dying;

  @SuppressWarnings("NullAway.Init") // before each test
  private World world;

  @SuppressWarnings("NullAway.Init") // before each test
  private BlockDevice vm1;

  @SuppressWarnings("NullAway.Init") // before each test
  private BlockDevice vm2;

  @BeforeEach
  void attach() throws IOException {
    LoopFileSystem.require();
    dying = LoopFileSystem.mount(directory.resolve("dying"), 16, "errors=remount-ro");
    world = new World(directory);
    vm1 = world.attach("vm1", Bytes.repeated('a', SIZE)).device();
    vm2 = world.attach("vm2", Bytes.repeated('A', SIZE)).device();
  }

  @AfterEach
  void close() throws IOException {
    world.close();
    dying.close();
  }

  private static BlockDevice image(Snapshot snapshot, String device) {
    return World.image(snapshot, device);
  }

  private Snapshot takenOnTheDying(String name, String device) throws IOException {
    Snapshot snapshot =
        world
            .snapshots()
            .create(
                List.of(device),
                dying.path().resolve(name + ".diff"),
                OptionalLong.empty(),
                new SnapshotConfig(name, Durability.PROCESS, FullPolicy.BREAK));
    world.snapshots().take(snapshot);
    return snapshot;
  }

  private long errors(String part) {
    return world.log().since(0, 1_000).stream()
        .filter(line -> line.level() == LogRing.Level.ERROR && line.text().contains(part))
        .count();
  }

  /** Overwrites both devices, and expects one to lose its snapshot and nothing else to happen. */
  private void expectOnlyToBreak(Snapshot broken, Errno cause, Snapshot well) throws Exception {
    for (int at = 0; at < SIZE; at += 4 * BLOCK) {
      Bytes.write(vm1, at, Bytes.repeated('b', 4 * BLOCK));
      Bytes.write(vm2, at, Bytes.repeated('B', 4 * BLOCK));
    }
    assertThat(Bytes.read(vm1, 0, SIZE)).containsOnly('b');
    assertThat(Bytes.read(vm2, 0, SIZE)).containsOnly('B');
    assertThat(broken.events().await(0).orElseThrow().event())
        .isEqualTo(new Event.Corrupted("vm1", cause));
    assertThat(broken.events().await(0)).isEmpty();
    assertThat(errors("is corrupt (" + cause)).isOne();
    assertThat(broken.part("vm1").orElseThrow().corruption()).contains(cause);
    refused(Errno.EIO, () -> Bytes.read(image(broken, "vm1"), 0, BLOCK), "corrupt");
    assertThat(Bytes.read(image(well, "vm2"), 0, SIZE)).containsOnly('A');
    assertThat(well.events().await(0)).isEmpty();
  }

  @Test
  void aDiskOfDiffStorageThatFailsBreaksTheSnapshotAlone() throws Exception {
    Snapshot broken = takenOnTheDying("s", "vm1");
    Snapshot well = world.take(Durability.PROCESS, "vm2");
    DeadFileSystem.kill(dying.path());
    expectOnlyToBreak(broken, Errno.EIO, well);
    world.snapshots().destroy(broken);
    assertThat(Bytes.read(image(well, "vm2"), 0, SIZE)).containsOnly('A');
  }

  @Test
  void oldBlocksThatTheKernelLostWithoutAnyCallFailingAreNeverShown() throws Exception {
    Path small = Files.createDirectory(directory.resolve("small"));
    Commands.run("mount", "-t", "tmpfs", "-o", "size=64k", "blksnap", small.toString());
    try {
      Path below = small.resolve("below");
      Commands.run("truncate", "--size=8M", below.toString()); // far more than there is room for
      try (LoopDevice loop = LoopDevice.attach(below, 512)) {
        Snapshot broken =
            world
                .snapshots()
                .create(
                    List.of("vm1"),
                    loop.path(),
                    OptionalLong.empty(),
                    new SnapshotConfig("s", Durability.PROCESS, FullPolicy.BREAK));
        world.snapshots().take(broken);
        Bytes.write(vm1, 0, Bytes.repeated('b', SIZE));
        assertThat(broken.part("vm1").orElseThrow().corruption()).as("nothing failed").isEmpty();

        // Whether that fails is not the engine's to see.
        Commands.works("blockdev", "--flushbufs", loop.path().toString());

        refused(Errno.EIO, () -> Bytes.read(image(broken, "vm1"), 0, SIZE), "checksum");
        assertThat(broken.events().await(0).orElseThrow().event())
            .isEqualTo(new Event.Corrupted("vm1", Errno.EIO));
        assertThat(broken.events().await(0)).isEmpty();
        assertThat(Bytes.read(vm1, 0, SIZE)).containsOnly('b');
        world.snapshots().destroy(broken);
      }
    } finally {
      Commands.run("umount", small.toString());
    }
  }

  /** Writes go on; what is not known any more is said, once. */
  private void expectWritesToGoOnWithoutState(Death death) throws Exception {
    Path home = Files.createDirectory(directory.resolve("home"));
    try (LoopFileSystem state =
        LoopFileSystem.mount(home.resolve("state"), 32, "errors=remount-ro")) {
      var other = new World(home);
      BlockDevice disk = other.attach("vm3", Bytes.repeated('a', 40 << 20)).device();
      Snapshot snapshot = other.take(Durability.PROCESS, "vm3");
      Bytes.write(disk, 0, Bytes.repeated('b', SIZE));

      death.of(state);

      for (int at = 0; at < 40 << 20; at += 1 << 20) { // into regions that are not open yet
        Bytes.write(disk, at, Bytes.repeated('c', SIZE));
      }
      for (int at = 0; at < 40 << 20; at += 1 << 20) {
        assertThat(Bytes.read(disk, at, SIZE)).containsOnly('c');
      }
      disk.flush();
      List<String> said =
          other.log().since(0, 1_000).stream()
              .filter(line -> line.level() == LogRing.Level.ERROR)
              .map(LogRing.Line::text)
              .toList();
      assertThat(said)
          .doesNotHaveDuplicates()
          .anySatisfy(line ->
              assertThat(line).containsAnyOf("a power loss may now lose", "change map is broken"));
      BlockDevice image = image(snapshot, "vm3");
      if (snapshot.part("vm3").orElseThrow().corruption().isPresent()) {
        refused(Errno.EIO, () -> Bytes.read(image, 0, BLOCK));
      } else {
        assertThat(Bytes.read(image, 0, 40 << 20)).containsOnly('a');
      }
      assertThatExceptionOfType(BlkSnapException.class)
          .isThrownBy(() -> other.take(Durability.PROCESS, "vm3"))
          .satisfies(e -> assertThat(e.errno()).isIn(Errno.EIO, Errno.EROFS));
      other.snapshots().leaveAll();
      assertThatExceptionOfType(IOException.class)
          .as("it cannot say that it was closed in order")
          .isThrownBy(() -> other.trackers().close());
    }
  }

  private interface Death {
    void of(LoopFileSystem fileSystem) throws IOException;
  }

  @Test
  void writesGoOnWhenTheStateDirectoryBecameReadOnly() throws Exception {
    expectWritesToGoOnWithoutState(DyingFileSystemTest::makeReadOnly);
  }

  @Test
  void writesGoOnWhenTheDiskOfTheStateDirectoryFails() throws Exception {
    expectWritesToGoOnWithoutState(fileSystem -> DeadFileSystem.kill(fileSystem.path()));
  }

  private void makeReadOnly() throws IOException {
    makeReadOnly(dying);
  }

  /** As an error in the file system's own data does. */
  private static void makeReadOnly(LoopFileSystem fileSystem) throws IOException {
    String loop = fileSystem.device().getFileName().toString();
    Files.writeString(Path.of("/sys/fs/ext4", loop, "trigger_fs_error"), "a test");
    assertThat(
            Commands.run(
                "findmnt", "--noheadings", "--output=FS-OPTIONS", fileSystem.path().toString()))
        .containsPattern("^ro|emergency_ro"); // as old and as new kernels say it
  }

  @Test
  void storageThatBecameReadOnlyBreaksTheSnapshotAndCanBeDestroyed() throws Exception {
    Snapshot broken = takenOnTheDying("s", "vm1");
    Snapshot well = world.take(Durability.PROCESS, "vm2");
    Bytes.write(vm1, 0, Bytes.repeated('x', BLOCK));
    makeReadOnly();
    expectOnlyToBreak(broken, Errno.EROFS, well);

    world.snapshots().destroy(broken);

    assertThat(world.snapshots().all()).containsExactly(well);
    assertThat(world.storages().all()).hasSize(1);
    Snapshot next = world.take(Durability.PROCESS, "vm1");
    Bytes.write(vm1, 0, Bytes.repeated('c', SIZE));
    assertThat(Bytes.read(image(next, "vm1"), 0, SIZE)).containsOnly('b');
  }

  @Test
  void aSnapshotOnStorageThatIsReadOnlyIsRefusedAndLeavesNothing() throws IOException {
    makeReadOnly();
    refused(Errno.EROFS, () -> takenOnTheDying("s", "vm1"));
    assertThat(world.snapshots().all()).isEmpty();
    assertThat(world.storages().all()).isEmpty();
    Bytes.write(vm1, 0, Bytes.repeated('b', SIZE));
    assertThat(Bytes.read(vm1, 0, SIZE)).containsOnly('b');
  }
}
