package blksnap.snapshot;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.diffarea.FullPolicy;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.NativeFile;
import blksnap.log.LogRing;
import blksnap.sim.World;
import blksnap.testing.Bytes;
import blksnap.testing.LoopFileSystem;
import blksnap.testing.Threads;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Real file systems are frozen for a take, and always go on. Needs root. */
@Timeout(240)
class FileSystemFreezeTest {
  private static final int BLOCK = 4096;
  private static final long LONG = 60_000;

  @TempDir Path directory;

  private final LogRing log = new LogRing();

  @BeforeEach
  void needRoot() {
    LoopFileSystem.require();
  }

  private LoopFileSystem mount(String name) throws IOException {
    return LoopFileSystem.mount(directory.resolve(name), 16);
  }

  private FileSystemFreeze open(long timeoutMillis, Path... mountPoints) throws IOException {
    return FileSystemFreeze.open(
        List.of(mountPoints), timeoutMillis, new Patience(() -> false), log);
  }

  /** Found out by freezing it, which works only while it is not; leaves it as it was. */
  private static boolean isFrozen(Path mountPoint) throws IOException {
    try (NativeFile file = NativeFile.open(mountPoint, Set.of(NativeFile.Flag.READ_ONLY))) {
      file.freezeFileSystem();
      return !file.thawFileSystem();
    } catch (BlkSnapException e) {
      assertThat(e.errno()).isEqualTo(Errno.EBUSY);
      return true;
    }
  }

  private static void thaw(Path mountPoint) throws IOException {
    try (NativeFile file = NativeFile.open(mountPoint, Set.of(NativeFile.Flag.READ_ONLY))) {
      assertThat(file.thawFileSystem()).isTrue();
    }
  }

  @Test
  void theyRestUntilTheyAreThawed() throws IOException {
    try (LoopFileSystem a = mount("a");
        LoopFileSystem b = mount("b")) {
      try (FileSystemFreeze freeze = open(LONG, a.path(), b.path())) {
        assertThat(isFrozen(a.path())).isFalse();
        freeze.freeze();
        assertThat(isFrozen(a.path())).isTrue();
        assertThat(isFrozen(b.path())).isTrue();
        assertThat(freeze.thaw()).isTrue();
      }
      assertThat(isFrozen(a.path())).isFalse();
      assertThat(isFrozen(b.path())).isFalse();
    }
  }

  @Test
  void closingThawsWhateverWentWrongBefore() throws IOException {
    try (LoopFileSystem a = mount("a")) {
      try (FileSystemFreeze freeze = open(LONG, a.path())) {
        freeze.freeze();
      }
      assertThat(isFrozen(a.path())).isFalse();
    }
  }

  @Test
  void whatIsFrozenAlreadyIsRefusedAndTheOthersGoOn() throws IOException {
    try (LoopFileSystem a = mount("a");
        LoopFileSystem b = mount("b");
        FileSystemFreeze other = open(LONG, b.path())) {
      other.freeze();
      try (FileSystemFreeze freeze = open(LONG, a.path(), b.path())) {
        refused(Errno.EBUSY, freeze::freeze, b.path().toString(), "frozen already");
      }
      assertThat(isFrozen(a.path())).isFalse();
      assertThat(isFrozen(b.path())).as("by the other one").isTrue();
      assertThat(other.thaw()).isTrue();
    }
  }

  @Test
  void theyGoOnWhenTheTimeIsOverAndThatIsNoticed() throws IOException {
    try (LoopFileSystem a = mount("a");
        FileSystemFreeze freeze = open(5_000, a.path())) {
      freeze.freeze();
      while (isFrozen(a.path())) {
        Thread.onSpinWait();
      }
      assertThat(freeze.thaw()).isFalse();
    }
  }

  @Test
  void aThawByAnotherIsNoticed() throws IOException {
    try (LoopFileSystem a = mount("a");
        FileSystemFreeze freeze = open(LONG, a.path())) {
      freeze.freeze();
      thaw(a.path());
      assertThat(freeze.thaw()).isFalse();
    }
  }

  @Test
  void whatCannotBeFrozenIsRefused() throws IOException {
    try (FileSystemFreeze freeze = open(LONG, Path.of("/proc"))) {
      BlkSnapException refusal = refused(Errno.ENOTSUP, freeze::freeze);
      assertThat(refusal.sentence()).contains("/proc");
    }
  }

  /** Freezes the directory that it is told, and waits to be killed. */
  static final class Victim {
    private Victim() {}

    public static void main(String[] args) throws IOException, InterruptedException {
      FileSystemFreeze freeze =
          FileSystemFreeze.open(
              List.of(Path.of(args[0])), 600_000, new Patience(() -> false), new LogRing());
      freeze.freeze();
      System.out.println("frozen");
      Thread.currentThread().join();
    }
  }

  @Test
  void theyGoOnWhenTheEngineIsKilled() throws Exception {
    try (LoopFileSystem a = mount("a")) {
      Process victim =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "--enable-native-access=ALL-UNNAMED",
                  "-cp",
                  System.getProperty("java.class.path"),
                  Victim.class.getName(),
                  a.path().toString())
              .redirectErrorStream(true)
              .start();
      try (BufferedReader said = victim.inputReader()) {
        assertThat(said.readLine()).isEqualTo("frozen");
        assertThat(isFrozen(a.path())).isTrue();
      } finally {
        victim.destroyForcibly().waitFor();
      }
      while (isFrozen(a.path())) { // the watch is another process, which takes its time
        Thread.onSpinWait();
      }
    }
  }

  private static TakeHooks freezing(long timeoutMillis, boolean bestEffort, Path... mountPoints) {
    return new TakeHooks(
        List.of(mountPoints), Optional.empty(), Optional.empty(), timeoutMillis, bestEffort);
  }

  private static Snapshot create(World world) throws IOException {
    return world.create(Durability.PROCESS, OptionalLong.empty(), FullPolicy.BREAK, "vm1");
  }

  @Test
  void aTakeSaysThatItsFileSystemsRested() throws IOException {
    try (LoopFileSystem a = mount("a");
        var world = new World(directory)) {
      world.attach("vm1", Bytes.repeated('a', 8 * BLOCK));
      Snapshot snapshot = create(world);
      world.snapshots().take(snapshot, freezing(LONG, false, a.path()), TakeSurroundings.NONE);
      assertThat(snapshot.consistency()).contains(new Consistency(true, "frozen: " + a.path()));
      assertThat(isFrozen(a.path())).isFalse();
      Files.writeString(a.path().resolve("file"), "goes on");
    }
  }

  @Test
  void neverFreezesTheFileSystemOfADiskOrOfDiffStorage() throws IOException {
    try (LoopFileSystem a = mount("a");
        LoopFileSystem b = mount("b");
        var world = new World(directory)) {
      Path disk = Files.write(a.path().resolve("vm1.img"), Bytes.repeated('a', 8 * BLOCK));
      world.trackers().attach(disk, Optional.of("vm1"), false, false);
      Snapshot snapshot =
          world
              .snapshots()
              .create(
                  List.of("vm1"),
                  b.path().resolve("s.diff"),
                  OptionalLong.empty(),
                  new SnapshotConfig("s", Durability.PROCESS, FullPolicy.BREAK));
      for (Path wrong : List.of(a.path(), b.path())) {
        refused(
            Errno.EINVAL,
            () ->
                world
                    .snapshots()
                    .take(snapshot, freezing(LONG, false, wrong), TakeSurroundings.NONE),
            wrong.equals(a.path()) ? "device vm1" : "diff storage",
            "the engine writes to");
        assertThat(isFrozen(wrong)).isFalse();
      }
      world.snapshots().take(snapshot, freezing(LONG, true, a.path()), TakeSurroundings.NONE);
      assertThat(snapshot.consistency().orElseThrow().fileSystem()).isFalse();
    }
  }

  /** Returns with the take waiting at the gate of a device, which the caller holds, and frozen. */
  private static Future<Boolean> takeHeldUp(
      World world, Snapshot snapshot, TakeHooks hooks, ExecutorService threads) throws IOException {
    Future<Boolean> take =
        Threads.submitAndAwaitBlocked(
            threads, () -> world.snapshots().take(snapshot, hooks, TakeSurroundings.NONE));
    assertThat(take.isDone()).isFalse();
    assertThat(isFrozen(hooks.freeze().getFirst())).isTrue();
    return take;
  }

  @Test
  void aTakeWhoseFileSystemWentOnTooEarlyIsUndoneAndCanBeTriedAgain() throws Exception {
    try (LoopFileSystem a = mount("a");
        var world = new World(directory);
        ExecutorService threads = Executors.newSingleThreadExecutor()) {
      var vm1 = world.attach("vm1", Bytes.repeated('a', 8 * BLOCK)).device();
      Snapshot snapshot = create(world);
      vm1.gate().close();
      Future<Boolean> take;
      try {
        take = takeHeldUp(world, snapshot, freezing(LONG, false, a.path()), threads);
        thaw(a.path());
      } finally {
        vm1.gate().open();
      }
      assertThat(take)
          .failsWithin(1, TimeUnit.MINUTES)
          .withThrowableThat()
          .withMessageContaining("did not rest until the instant");
      assertThat(snapshot.view().state()).isEqualTo(Snapshot.State.CREATED);
      assertThat(vm1.chain().areas()).isEmpty();

      world.snapshots().take(snapshot);
      Bytes.write(vm1, 0, Bytes.repeated('b', BLOCK));
      var image = ((SnapshotPart.Taken) snapshot.part("vm1").orElseThrow()).image();
      assertThat(Bytes.read(image, 0, 8 * BLOCK)).containsOnly('a');
    }
  }

  @Test
  void bestEffortKeepsATakeWhoseFileSystemWentOnTooEarly() throws Exception {
    try (LoopFileSystem a = mount("a");
        var world = new World(directory);
        ExecutorService threads = Executors.newSingleThreadExecutor()) {
      var vm1 = world.attach("vm1", Bytes.repeated('a', 8 * BLOCK)).device();
      Snapshot snapshot = create(world);
      vm1.gate().close();
      Future<Boolean> take;
      try {
        take = takeHeldUp(world, snapshot, freezing(3_000, true, a.path()), threads);
        while (isFrozen(a.path())) {
          Thread.onSpinWait(); // until its time is over
        }
      } finally {
        vm1.gate().open();
      }
      assertThat(take).succeedsWithin(1, TimeUnit.MINUTES);
      assertThat(snapshot.consistency().orElseThrow().fileSystem()).isFalse();
      assertThat(snapshot.consistency().orElseThrow().reason()).contains("did not rest");
    }
  }
}
