package blksnap.sim;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.device.BlockDevice;
import blksnap.diffarea.FullPolicy;
import blksnap.error.Errno;
import blksnap.eventqueue.Event;
import blksnap.snapshot.Durability;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotPart;
import blksnap.testing.Bytes;
import blksnap.testing.Threads;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Writers that wait for storage rather than break the snapshot. */
class FullStorageTest {
  private static final int BLOCK = 4096;
  private static final int SIZE = 256 * BLOCK;
  private static final long LIMIT = 16L * BLOCK;
  private static final FullPolicy WAIT = new FullPolicy(true, OptionalLong.empty());

  @TempDir Path directory;

  private final ExecutorService threads = Executors.newCachedThreadPool();

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
    threads.shutdownNow();
  }

  private Snapshot taken(FullPolicy policy) throws IOException {
    Snapshot snapshot = world.create(Durability.PROCESS, OptionalLong.of(LIMIT), policy, "vm1");
    world.snapshots().take(snapshot);
    return snapshot;
  }

  private static BlockDevice image(Snapshot snapshot) {
    return World.image(snapshot, "vm1");
  }

  /** Overwrites the whole device, and returns once the storage is full. */
  private Future<Boolean> overwriteUntilFull(Snapshot snapshot) throws InterruptedException {
    Future<Boolean> writer =
        threads.submit(Threads.task(() -> Bytes.write(vm1, 0, Bytes.repeated('b', SIZE))));
    Event event;
    do {
      event = snapshot.events().await(60_000).orElseThrow().event();
    } while (!(event instanceof Event.NoSpace));
    return writer;
  }

  private static void expectDone(Future<Boolean> writer) throws Exception {
    assertThat(writer.get(1, TimeUnit.MINUTES)).isTrue();
  }

  private void append(Snapshot snapshot) throws IOException {
    Path more = directory.resolve("more.diff");
    try (var file = new RandomAccessFile(more.toFile(), "rw")) {
      file.setLength(2L * SIZE);
    }
    world.snapshots().appendStorage(snapshot, more, List.of());
  }

  @Test
  void aWriterWaitsForStorageAndTheImageStaysGood() throws Exception {
    Snapshot snapshot = taken(WAIT);
    Future<Boolean> writer = overwriteUntilFull(snapshot);
    assertThat(Bytes.read(image(snapshot), 0, SIZE)).as("meanwhile").containsOnly('a');
    assertThat(Bytes.read(vm1, SIZE - BLOCK, BLOCK)).as("meanwhile").containsOnly('a');
    assertThat(writer.isDone()).isFalse();

    append(snapshot);

    expectDone(writer);
    assertThat(Bytes.read(vm1, 0, SIZE)).containsOnly('b');
    assertThat(Bytes.read(image(snapshot), 0, SIZE)).containsOnly('a');
    assertThat(snapshot.events().await(0)).isEmpty();
  }

  @Test
  void aWriterThatWaitedLongEnoughGoesOnAndTheSnapshotIsBroken() throws Exception {
    Snapshot snapshot = taken(new FullPolicy(true, OptionalLong.of(300)));
    Future<Boolean> writer = overwriteUntilFull(snapshot);
    expectDone(writer);
    assertThat(Bytes.read(vm1, 0, SIZE)).containsOnly('b');
    refused(Errno.EIO, () -> Bytes.read(image(snapshot), 0, BLOCK), "ENOSPC");
    assertThat(snapshot.events().await(60_000).orElseThrow().event())
        .isEqualTo(new Event.Corrupted("vm1", Errno.ENOSPC));
    assertThat(snapshot.events().await(0)).isEmpty();
  }

  @Test
  void destroyingTheSnapshotFreesTheWriter() throws Exception {
    Snapshot snapshot = taken(WAIT);
    Future<Boolean> writer = overwriteUntilFull(snapshot);
    world.snapshots().destroy(snapshot);
    expectDone(writer);
    assertThat(Bytes.read(vm1, 0, SIZE)).containsOnly('b');
    assertThat(world.storages().all()).isEmpty();
  }

  @Test
  void bringingTheEngineDownFreesTheWriter() throws Exception {
    Future<Boolean> writer = overwriteUntilFull(taken(WAIT));
    world.snapshots().destroyAll(true);
    expectDone(writer);
  }

  @Test
  void aTakeDoesNotWaitForAWriterThatWaits() throws Exception {
    Snapshot full = taken(WAIT);
    Future<Boolean> writer = overwriteUntilFull(full);

    Snapshot roomy = world.take(Durability.PROCESS, "vm1"); // preserves for both from now on

    expectDone(writer);
    assertThat(Bytes.read(vm1, 0, SIZE)).containsOnly('b');
    assertThat(Bytes.read(image(full), 0, SIZE)).containsOnly('a');
    assertThat(Bytes.read(image(roomy), SIZE - BLOCK, BLOCK)).containsOnly('a');
    assertThat(full.events().await(0)).isEmpty();
  }

  @Test
  void writersWaitForTheStorageOfTheNewestWhenAnOlderSnapshotAsksForThat() throws Exception {
    Snapshot older = taken(WAIT);
    Bytes.write(vm1, 0, Bytes.repeated('b', 8 * BLOCK));
    Snapshot newer = taken(FullPolicy.BREAK);
    Future<Boolean> writer = overwriteUntilFull(newer);
    assertThat(writer.isDone()).isFalse();
    append(newer);
    expectDone(writer);
    assertThat(Bytes.read(image(older), 0, SIZE)).containsOnly('a');
    assertThat(Bytes.read(image(newer), 0, 8 * BLOCK)).containsOnly('b');
  }

  @Test
  void writersDoNotWaitForASnapshotThatIsBrokenAlready() throws Exception {
    Snapshot older = taken(WAIT);
    ((SnapshotPart.Taken) older.part("vm1").orElseThrow()).area().corrupt(Errno.EIO, "a test");
    Snapshot newer = taken(FullPolicy.BREAK);
    Bytes.write(vm1, 0, Bytes.repeated('c', SIZE));
    refused(Errno.EIO, () -> Bytes.read(image(newer), 0, BLOCK), "ENOSPC");
  }

  @Test
  void whatTheNewestCannotPreserveIsLostToTheOlderOnesThatNeededIt() throws Exception {
    Snapshot older = taken(FullPolicy.BREAK);
    Bytes.write(vm1, 0, Bytes.repeated('b', 8 * BLOCK));
    Snapshot newer = taken(FullPolicy.BREAK);
    Bytes.write(vm1, 0, Bytes.repeated('c', SIZE));

    assertThat(Bytes.read(vm1, 0, SIZE)).containsOnly('c');
    for (Snapshot snapshot : List.of(older, newer)) {
      refused(Errno.EIO, () -> Bytes.read(image(snapshot), 0, BLOCK), "ENOSPC");
      Event event;
      do {
        event = snapshot.events().await(60_000).orElseThrow().event();
      } while (!(event instanceof Event.Corrupted));
      assertThat(event).isEqualTo(new Event.Corrupted("vm1", Errno.ENOSPC));
      assertThat(snapshot.events().await(0)).isEmpty();
    }
  }
}
