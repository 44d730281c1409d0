package blksnap.engine;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.eventqueue.Event;
import blksnap.linux.DeadFileSystem;
import blksnap.log.LogRing;
import blksnap.testing.Bytes;
import blksnap.testing.Commands;
import blksnap.testing.LoopDevice;
import blksnap.testing.LoopFileSystem;
import blksnap.testing.ManualClock;
import blksnap.testing.RealClients;
import blksnap.testing.TestEngine;
import blksnap.testing.Threads;
import java.io.Closeable;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Something fails below a snapshot of {@code vm1}: it is told by events and a line of the log, once
 * each, the status tree shows it, and all the time {@code vm2} and its snapshot, and vm1 itself, go
 * on.
 */
@Timeout(120)
final class FaultsAreToldTest {
  private static final int BLOCK = 4096;
  private static final int MIB = 1 << 20;
  private static final int SIZE = MIB;
  private static final int PIECE = 128 << 10;
  private static final Event LOW = new Event.LowFreeSpace(2_048);
  private static final Event FULL = new Event.NoSpace(2_048);

  @TempDir private Path directory;

  private final ManualClock clock = new ManualClock();

  /** What is to be undone behind the engine, the last first. */
  private final Deque<Closeable> places = new ArrayDeque<>();

  @SuppressWarnings("NullAway.Init") // before each test
  private TestEngine engine;

  /** Whether the state directory cannot be used at the end of the test. */
  private boolean stateFails;

  @BeforeEach
  void loads() throws IOException {
    load();
  }

  private void load() throws IOException {
    var config = TestEngine.config(directory, TestEngine.SMALL, false);
    engine = new TestEngine(directory, Engine.load(config, clock, subsystem -> {}));
    engine.attach("vm1", Bytes.repeated('a', SIZE));
    engine.attach("vm2", Bytes.repeated('A', SIZE));
    engine.take("other", "vm2");
  }

  @AfterEach
  void ends() throws IOException {
    try {
      engine.close();
    } catch (IOException e) {
      assertThat(stateFails).as("%s", e).isTrue();
    } finally {
      while (!places.isEmpty()) {
        places.pop().close();
      }
    }
  }

  /** Takes {@code s} of vm1 with this storage. */
  private void take(Path storage, Optional<Long> limit, CtrlRequest.OnFull onFull)
      throws IOException {
    engine.ask(
        new CtrlRequest.SnapshotCreate(
            List.of("vm1"),
            storage.toString(),
            limit,
            Optional.of("s"),
            CtrlRequest.Durability.PROCESS,
            onFull,
            true));
  }

  private void take(Path storage) throws IOException {
    take(storage, Optional.empty(), CtrlRequest.OnFull.BREAK);
  }

  private void take() throws IOException {
    take(storage());
  }

  private Path storage() {
    return directory.resolve("s.diff");
  }

  private void overwrite(String device, long offset, long length, char with) throws IOException {
    for (long at = offset; at < offset + length; at += PIECE) {
      int count = (int) Math.min(PIECE, offset + length - at);
      assertThat(engine.write(device, at, Bytes.repeated(with, count)))
          .as("a write to %s at %d", device, at)
          .isZero();
    }
  }

  private List<Event> events(String snapshot) throws IOException {
    var events = new ArrayList<Event>();
    while (true) {
      try {
        events.add(
            engine
                .ask(CtrlReply.SnapshotEvent.class, new CtrlRequest.SnapshotWait(snapshot, 0))
                .event()
                .event());
      } catch (BlkSnapException e) {
        assertThat(e.errno()).isEqualTo(Errno.ETIMEDOUT);
        return events;
      }
    }
  }

  private List<String> said() {
    return engine.engine().log().since(0, LogRing.CAPACITY).stream()
        .filter(
            line -> line.level() == LogRing.Level.ERROR || line.level() == LogRing.Level.WARNING)
        .map(LogRing.Line::text)
        .filter(line -> !line.startsWith("nbd: ")) // of a client whose read failed
        .filter(line -> !line.contains("others changed its size")) // if a look came in between
        .toList();
  }

  /** Expects these events of {@code s}, and as many lines that begin and end like that. */
  private void expectTold(List<Event> events, String... lines) throws IOException {
    engine.engine().lookAround();
    engine.engine().lookAround(); // again, as it goes on: nothing is told twice
    assertThat(events("s")).isEqualTo(events);
    List<String> said = said();
    assertThat(said).hasSize(lines.length);
    for (int i = 0; i < lines.length; i++) {
      assertThat(said.get(i)).contains(lines[i]);
    }
  }

  private void expectShown(Map<String, String> values) throws IOException {
    for (Map.Entry<String, String> value : values.entrySet()) {
      assertThat(engine.cat(value.getKey())).as(value.getKey()).isEqualTo(value.getValue());
    }
    assertThat(engine.ask(CtrlReply.Tree.class, new CtrlRequest.Status("/"))).isNotNull();
  }

  private static Map<String, String> errno(Errno errno) {
    return Map.of(
        "/sys/block/vm1@s/errno", Integer.toString(errno.number()),
        "/sys/block/vm2@other/errno", "0",
        "/sys/block/vm1/cbt/errno", "0");
  }

  private void expectGood() throws IOException {
    expectOnly('a', engine.read("vm1@s", 0, SIZE));
    expectShown(Map.of("/sys/block/vm1@s/errno", "0"));
  }

  private void expectLost() throws IOException {
    assertThat(engine.errorOfRead("vm1@s", SIZE - BLOCK, BLOCK)).isEqualTo(Errno.EIO.number());
  }

  /** The other device, its snapshot, and one that is taken now of both. */
  private void expectOthersToGoOn() throws IOException {
    overwrite("vm2", 0, SIZE, 'B');
    expectOnly('B', engine.read("vm2", 0, SIZE));
    expectOnly('A', engine.read("vm2@other", 0, SIZE));
    assertThat(events("other")).isEmpty();
    byte[] now = engine.read("vm1", 0, SIZE);
    engine.take("next", "vm1", "vm2");
    overwrite("vm1", 0, SIZE, 'n');
    expectOnly('n', engine.read("vm1", 0, SIZE));
    assertThat(engine.read("vm1@next", 0, SIZE)).isEqualTo(now);
    engine.destroy("s");
    assertThat(engine.read("vm1@next", 0, SIZE)).isEqualTo(now);
    expectOnly('B', engine.read("vm2@next", 0, SIZE));
    assertThat(events("next")).isEmpty();
  }

  private static void expectOnly(char content, byte[] read) {
    assertThat(Arrays.equals(read, Bytes.repeated(content, read.length))).isTrue();
  }

  /** A file system of so few bytes. */
  private Path small(String name, int bytes) throws IOException {
    Path path = Files.createDirectories(directory.resolve(name));
    RealClients.require(
        Commands.works("mount", "-t", "tmpfs", "-o", "size=" + bytes, "blksnap", path.toString()),
        "a small file system needs root and mount");
    places.push(() -> Commands.run("umount", path.toString()));
    return path;
  }

  /** A file system that can be made to fail. */
  private LoopFileSystem dying(String name) throws IOException {
    LoopFileSystem.require();
    LoopFileSystem made = LoopFileSystem.mount(directory.resolve(name), 32, "errors=remount-ro");
    places.push(made);
    return made;
  }

  /** As an error in the file system's own data does. */
  private static void makeReadOnly(LoopFileSystem fileSystem) throws IOException {
    String loop = fileSystem.device().getFileName().toString();
    Files.writeString(Path.of("/sys/fs/ext4", loop, "trigger_fs_error"), "a test");
  }

  @Test
  void storageThatIsLow() throws IOException {
    take(storage(), Optional.of((long) MIB), CtrlRequest.OnFull.BREAK);
    overwrite("vm1", 0, SIZE - PIECE - (256 << 10), 'b');
    assertThat(events("s")).as("it grows by itself").isEmpty();
    overwrite("vm1", 0, SIZE - PIECE, 'b');
    expectTold(List.of(LOW), "snapshot s: diff storage is low, 2048 sectors more would help");
    assertThat(Long.parseLong(engine.cat("/sys/fs/blksnap/s/storage/free")))
        .isBetween(1L, 256L << 10);
    assertThat(engine.cat("/sys/fs/blksnap/s/storage/full_in_s")).as("not known yet").isEmpty();
    expectGood();
    expectOthersToGoOn();
  }

  @Test
  void storageThatWillBeFullSoon() throws IOException {
    take(storage(), Optional.of(12L << 20), CtrlRequest.OnFull.BREAK);
    overwrite("vm1", 0, 2 * PIECE, 'b');
    clock.advance(Duration.ofSeconds(20));
    overwrite("vm1", 2 * PIECE, 3 * PIECE, 'b'); // 640 KiB in 20 s, and 11.4 MiB are left

    engine.engine().lookAround();
    List<Event> events = events("s");
    assertThat(events).singleElement().isInstanceOf(Event.FullSoon.class);
    long seconds = ((Event.FullSoon) events.getFirst()).seconds();
    assertThat(seconds).isBetween(300L, 599L);
    overwrite("vm1", 5 * PIECE, 3 * PIECE, 'b');
    expectTold(
        List.of(), "snapshot s: at the present rate diff storage is full in " + seconds / 60);
    assertThat(said().getFirst()).endsWith(" minutes");
    assertThat(Long.parseLong(engine.cat("/sys/fs/blksnap/s/storage/full_in_s")))
        .isBetween(1L, seconds);
    assertThat(engine.info("s").storage().fullInSeconds()).isPresent();
    expectGood();
    expectOthersToGoOn();
  }

  @Test
  void storageThatIsFull() throws IOException {
    take(storage(), Optional.of(64L << 10), CtrlRequest.OnFull.BREAK);
    overwrite("vm1", 0, SIZE, 'b');
    expectTold(
        List.of(LOW, FULL, new Event.Corrupted("vm1", Errno.ENOSPC)),
        "snapshot s: diff storage is low",
        "snapshot s: diff storage is full",
        "snapshot s: image of vm1 is corrupt (ENOSPC): diff storage is full: ");
    expectShown(errno(Errno.ENOSPC));
    expectShown(Map.of("/sys/fs/blksnap/s/storage/free", "0"));
    expectLost();
    expectOthersToGoOn();
  }

  @Test
  void storageThatIsFullWhileWritersWait() throws Exception {
    take(storage(), Optional.of(64L << 10), new CtrlRequest.OnFull(true, Optional.empty()));
    try (ExecutorService threads = Executors.newSingleThreadExecutor()) {
      engine.client("vm1");
      Future<Boolean> writer =
          threads.submit(Threads.task(() -> engine.write("vm1", 0, Bytes.repeated('b', MIB))));
      var seen = new ArrayList<Event>();
      while (!seen.contains(FULL)) {
        seen.add(
            engine
                .ask(CtrlReply.SnapshotEvent.class, new CtrlRequest.SnapshotWait("s", 60_000))
                .event()
                .event());
      }
      assertThat(seen).containsExactly(LOW, FULL);
      expectTold(List.of(), "snapshot s: diff storage is low", "snapshot s: diff storage is full");
      expectShown(Map.of("/sys/fs/blksnap/s/storage/free", "0", "/sys/block/vm1@s/errno", "0"));
      overwrite("vm2", 0, MIB, 'B');
      assertThat(writer.isDone()).isFalse();
      Path more = directory.resolve("more.diff");
      try (var file = new RandomAccessFile(more.toFile(), "rw")) {
        file.setLength(2L * SIZE);
      }
      engine.ask(new CtrlRequest.SnapshotAppendStorage("s", more.toString(), List.of()));
      assertThat(writer.get(1, TimeUnit.MINUTES)).isTrue();
    }
    expectGood();
    expectOthersToGoOn();
  }

  @Test
  void aFullFileSystemBelowTheStorage() throws IOException {
    take(small("small", MIB / 2).resolve("s.diff"));
    overwrite("vm1", 0, SIZE, 'b');
    expectTold(
        List.of(LOW, FULL, new Event.Corrupted("vm1", Errno.ENOSPC)),
        "snapshot s: diff storage is low",
        "snapshot s: diff storage is full",
        "snapshot s: image of vm1 is corrupt (ENOSPC)");
    expectShown(errno(Errno.ENOSPC));
    expectLost();
    expectOthersToGoOn();
  }

  @Test
  void aDiskOfTheStorageThatFails() throws IOException {
    LoopFileSystem dying = dying("dying");
    take(dying.path().resolve("s.diff"));
    DeadFileSystem.kill(dying.path());
    overwrite("vm1", 0, SIZE, 'b');
    expectTold(
        List.of(new Event.Corrupted("vm1", Errno.EIO)),
        "snapshot s: image of vm1 is corrupt (EIO)");
    expectShown(errno(Errno.EIO));
    expectLost();
    engine.destroy("s"); // its file cannot be removed
    take();
    expectOthersToGoOn();
  }

  @Test
  void storageThatIsReadOnly() throws IOException {
    LoopFileSystem dying = dying("dying");
    take(dying.path().resolve("s.diff"));
    overwrite("vm1", 0, PIECE, 'b');
    makeReadOnly(dying);
    overwrite("vm1", 0, SIZE, 'b');
    expectTold(
        List.of(new Event.Corrupted("vm1", Errno.EROFS)),
        "snapshot s: image of vm1 is corrupt (EROFS)");
    expectShown(errno(Errno.EROFS));
    expectLost();
    int before = said().size();

    engine.destroy("s");
    refused(Errno.EROFS, () -> take(dying.path().resolve("fresh.diff")));
    assertThat(said().subList(before, said().size()))
        .hasSize(2)
        .satisfiesExactly(
            line -> assertThat(line).startsWith("diff storage could not be removed: "),
            line -> assertThat(line).startsWith("snapshot s: not created: "));
    take();
    expectOthersToGoOn();
  }

  @Test
  void anOriginalWhoseOldBytesCannotBeRead() throws IOException {
    take();
    try (var file = new RandomAccessFile(directory.resolve("vm1.img").toFile(), "rw")) {
      file.setLength(SIZE / 2); // reading what is gone fails, writing there does not
    }
    overwrite("vm1", SIZE / 2, SIZE / 2, 'b');
    expectTold(
        List.of(new Event.Corrupted("vm1", Errno.EIO)),
        "snapshot s: image of vm1 is corrupt (EIO)");
    expectShown(errno(Errno.EIO));
    expectLost();
    expectOnly('b', engine.read("vm1", SIZE / 2, SIZE / 2));
    expectOthersToGoOn();
  }

  @Test
  void aRemovedFileOfTheStorage() throws IOException {
    take();
    overwrite("vm1", 0, MIB, 'b');
    Files.delete(storage());
    String trouble = storage() + " was removed; a restart will miss it";
    expectTold(List.of(new Event.StorageTrouble(trouble)), "snapshot s: " + trouble);
    expectShown(Map.of("/sys/fs/blksnap/s/storage/trouble", trouble));
    assertThat(engine.info("s").storage().trouble()).contains(trouble);
    overwrite("vm1", 0, SIZE, 'c');
    expectGood();
    expectOthersToGoOn();
  }

  @Test
  void aReplacedFileOfTheStorage() throws IOException {
    take();
    overwrite("vm1", 0, MIB, 'b');
    Files.move(storage(), directory.resolve("elsewhere"));
    Files.write(storage(), Bytes.repeated('x', BLOCK));
    String trouble = storage() + " was replaced by another file";
    expectTold(List.of(new Event.StorageTrouble(trouble)), "snapshot s: " + trouble);
    expectShown(Map.of("/sys/fs/blksnap/s/storage/trouble", trouble));
    overwrite("vm1", 0, SIZE, 'c');
    expectGood();
    expectOthersToGoOn();
  }

  @Test
  void aFileOfTheStorageThatWasCut() throws IOException {
    take();
    overwrite("vm1", 0, MIB, 'b');
    try (var file = new RandomAccessFile(storage().toFile(), "rw")) {
      file.setLength(5 * BLOCK);
    }
    String cut = storage() + " was cut to 20480 bytes";
    expectTold(
        List.of(
            new Event.StorageTrouble("diff storage " + cut), new Event.Corrupted("vm1", Errno.EIO)),
        "snapshot s: diff storage " + cut,
        "snapshot s: image of vm1 is corrupt (EIO): diff storage " + cut);
    expectShown(errno(Errno.EIO));
    expectShown(Map.of("/sys/fs/blksnap/s/storage/trouble", cut));
    expectLost();
    overwrite("vm1", 0, SIZE, 'c');
    expectOthersToGoOn();
  }

  @Test
  void aRemovedFileWhoseSnapshotIsGoneIsToldToTheOneThatNeedsItsBlocks() throws IOException {
    take();
    engine.take("newer", "vm1");
    overwrite("vm1", 0, MIB, 'b');
    engine.destroy("newer");
    Files.delete(directory.resolve("newer.diff"));
    String trouble = directory.resolve("newer.diff") + " was removed; a restart will miss it";
    expectTold(List.of(new Event.StorageTrouble(trouble)), "snapshot s: " + trouble);
    expectGood();
    expectOthersToGoOn();
  }

  @Test
  void aStateDirectoryThatIsFull() throws IOException {
    engine.close();
    Path state = small("state", 2 * MIB);
    load();
    take();
    Path ballast = state.resolve("ballast");
    expectFailure(() -> Files.write(ballast, new byte[2 * MIB]));
    assertThat(engine.write("vm1@s", 0, Bytes.repeated('i', 4 * PIECE))).isZero();
    while (engine.write("vm1@s", 0, Bytes.repeated('i', 4 * PIECE)) == 0) {
      // Each block of an image that is written takes one of 2046 places for mappings.
    }
    overwrite("vm1", 0, SIZE, 'b');
    expectTold(
        List.of(new Event.Corrupted("vm1", Errno.ENOSPC)),
        "snapshot s: image of vm1 is corrupt (ENOSPC)");
    expectShown(errno(Errno.ENOSPC));
    expectLost();
    refused(Errno.ENOSPC, () -> engine.create("later", "vm2"));
    assertThat(said()).last().asString().startsWith("snapshot later: not created: ");
    overwrite("vm2", 0, MIB, 'b');
    expectOnly('A', engine.read("vm2@other", 0, SIZE));

    Files.delete(ballast);
    expectOthersToGoOn();
  }

  private void expectMapToBeInDanger(Death death) throws IOException {
    engine.close();
    LoopFileSystem state = dying("state");
    load();
    take();
    overwrite("vm1", 0, PIECE, 'b');
    stateFails = true;
    death.of(state);
    overwrite("vm1", 0, SIZE, 'b');
    expectOnly('b', engine.read("vm1", 0, SIZE));
    engine.engine().lookAround();
    engine.engine().lookAround();

    assertThat(events("s"))
        .doesNotHaveDuplicates()
        .filteredOn(event -> !(event instanceof Event.Corrupted))
        .singleElement()
        .isInstanceOfSatisfying(
            Event.MapAtRisk.class,
            event -> {
              assertThat(event.device()).isEqualTo("vm1");
              assertThat(event.errno()).isIn(Errno.EIO, Errno.EROFS);
            });
    assertThat(engine.cat("/sys/block/vm1/cbt/errno"))
        .isIn(Integer.toString(Errno.EIO.number()), Integer.toString(Errno.EROFS.number()));
    assertThat(engine.ask(CtrlReply.Tree.class, new CtrlRequest.Status("/"))).isNotNull();
    assertThat(said())
        .doesNotHaveDuplicates()
        .anySatisfy(line ->
            assertThat(line)
                .startsWith("device vm1: ")
                .containsAnyOf(
                    "a power loss may now lose", "change map is broken", "checkpoint failed"));
    assertThat(events("other")).isEmpty();
    assertThat(engine.cat("/sys/block/vm2/cbt/errno")).isEqualTo("0");
    expectOnly('A', engine.read("vm2@other", 0, SIZE));
    overwrite("vm2", 0, SIZE, 'B');
    expectOnly('B', engine.read("vm2", 0, SIZE));
    expectFailure(() -> engine.take("next", "vm2"));
  }

  private interface Death {
    void of(LoopFileSystem fileSystem) throws IOException;
  }

  @Test
  void aStateDirectoryThatIsReadOnly() throws IOException {
    expectMapToBeInDanger(FaultsAreToldTest::makeReadOnly);
  }

  @Test
  void aStateDirectoryWhoseDiskFails() throws IOException {
    expectMapToBeInDanger(fileSystem -> DeadFileSystem.kill(fileSystem.path()));
  }

  private static void expectFailure(ThrowingCallable action) {
    assertThatThrownBy(action).isInstanceOf(IOException.class);
  }

  @Test
  void blocksThatTheKernelLostOnTheirWayToTheStorage() throws IOException {
    LoopDevice.require();
    Path below = small("small", 64 << 10).resolve("below");
    Commands.run("truncate", "--size=8M", below.toString()); // far more than there is room for
    LoopDevice loop = LoopDevice.attach(below, 512);
    places.push(loop);
    take(loop.path());
    overwrite("vm1", 0, MIB, 'b');
    assertThat(events("s")).as("nothing failed").isEmpty();
    // Whether that fails is not the engine's to see.
    Commands.works("blockdev", "--flushbufs", loop.path().toString());

    assertThat(engine.errorOfRead("vm1@s", 0, MIB)).isEqualTo(Errno.EIO.number());
    expectTold(
        List.of(new Event.Corrupted("vm1", Errno.EIO)),
        "snapshot s: image of vm1 is corrupt (EIO): read of block 0: a preserved block came back"
            + " from diff storage with a wrong checksum");
    expectShown(errno(Errno.EIO));
    expectLost();
    expectOthersToGoOn();
  }
}
