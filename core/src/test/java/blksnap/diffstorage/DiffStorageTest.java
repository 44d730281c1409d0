package blksnap.diffstorage;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.param.Parameter;
import blksnap.param.Parameters;
import blksnap.sector.SectorRange;
import blksnap.testing.Bytes;
import blksnap.testing.ManualClock;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DiffStorageTest {
  private static final int BLOCK = Location.BLOCK_BYTES;
  private static final int MIB = 1 << 20;
  private static final UUID SNAPSHOT = UUID.fromString("00000000-0000-4000-8000-000000000001");

  private static final DiffStorage.RangeKeeper KEEPER =
      (storage, ranges) -> assertThat(ranges).isNotEmpty();

  @TempDir Path directory;

  private final Parameters parameters = new Parameters();
  private final List<String> told = new ArrayList<>();
  private final StorageListener listener =
      new StorageListener() {
        @Override
        public void low(long requestedSectors) {
          told.add("low " + requestedSectors);
        }

        @Override
        public void full(long requestedSectors) {
          told.add("full " + requestedSectors);
        }

        @Override
        public void fullSoon(long seconds) {
          told.add("soon " + seconds);
        }
      };
  private final ManualClock clock = new ManualClock();
  private final StorageTable table =
      new StorageTable(parameters, (path, status) -> {}, clock, Condition::awaitNanos);

  @BeforeEach
  void portionsOfOneMebibyte() {
    parameters.set(Parameter.DIFF_STORAGE_MINIMUM, MIB / 512);
    parameters.set(Parameter.CHUNK_MINIMUM_SHIFT, 12);
  }

  @AfterEach
  void close() throws IOException {
    close(table);
  }

  private static void close(StorageTable storages) throws IOException {
    for (DiffStorage storage : storages.all()) {
      storage.close();
    }
  }

  private DiffStorage create(String name, long limit) throws IOException {
    return table.create(
        SNAPSHOT, directory.resolve(name), OptionalLong.of(limit), listener, KEEPER);
  }

  private Path sparse(String name, long bytes) throws IOException {
    Path file = directory.resolve(name);
    try (var made = new RandomAccessFile(file.toFile(), "rw")) {
      made.setLength(bytes);
    }
    return file;
  }

  private static void fill(DiffStorage storage) throws IOException {
    try {
      while (storage.allocate(64).blocks() > 0) {
        // until it is refused
      }
    } catch (BlkSnapException e) {
      assertThat(e.errno()).isEqualTo(Errno.ENOSPC);
    }
  }

  @Test
  void handsOutEachBlockOnceInTheOrderOfTheFile() throws IOException {
    DiffStorage storage = create("a.diff", 4 * MIB);
    long next = 1; // the first block is the header
    for (int count : List.of(1, 7, 64, 3)) {
      DiffStorage.Region region = storage.allocate(count);
      assertThat(region).isEqualTo(new DiffStorage.Region(Location.of(0, 0, next), count));
      next += count;
    }
    assertThat(storage.space().filled()).isEqualTo((next - 1) * BLOCK);
  }

  @Test
  void growsByPortionsUpToItsLimit() throws IOException {
    Path file = directory.resolve("a.diff");
    DiffStorage storage = create("a.diff", 2 * MIB + MIB / 2);
    assertThat(Files.size(file)).isEqualTo(MIB);
    assertThat(storage.allocate(1_000).blocks()).as("up to the portion's end").isEqualTo(255);
    assertThat(Files.size(file)).isEqualTo(MIB);
    assertThat(storage.allocate(1).blocks()).isEqualTo(1);
    assertThat(Files.size(file)).isEqualTo(2 * MIB);
    assertThat(storage.allocate(1_000).blocks()).isEqualTo(255);
    assertThat(storage.allocate(1_000).blocks()).as("a short last portion").isEqualTo(128);
    refused(Errno.ENOSPC, () -> storage.allocate(1), Integer.toString(2 * MIB + MIB / 2));
    assertThat(Files.size(file)).isEqualTo(2 * MIB + MIB / 2);
    assertThat(storage.space().free()).isZero();
  }

  @Test
  void saysOnceThatSpaceIsLowAndOnceThatItIsFull() throws IOException {
    DiffStorage storage = create("a.diff", 4 * MIB);
    storage.allocate(255);
    storage.allocate(256);
    storage.allocate(256);
    assertThat(told).as("more than half a portion is left").isEmpty();
    fill(storage);
    fill(storage);
    assertThat(told).containsExactly("low 2048", "full 2048");

    storage.append(sparse("more", 2 * MIB), List.of(), KEEPER);
    fill(storage);
    assertThat(told).containsExactly("low 2048", "full 2048", "low 2048", "full 2048");
  }

  /** Takes a mebibyte in each so many seconds. */
  private void takeEvery(int seconds, int mebibytes, DiffStorage storage) throws IOException {
    for (int i = 0; i < mebibytes; i++) {
      for (int left = MIB / BLOCK; left > 0; ) {
        left -= storage.allocate(Math.min(64, left)).blocks();
      }
      clock.advance(Duration.ofSeconds(seconds));
    }
  }

  @Test
  void warnsOnceThatItWillBeFullSoonAtThePresentRate() throws IOException {
    DiffStorage storage = create("a.diff", 256 * MIB);
    assertThat(storage.space().fullInSeconds()).isEmpty();
    takeEvery(20, 12, storage);
    assertThat(told).as("244 MiB last for 80 minutes").isEmpty();
    assertThat(storage.space().fullInSeconds().orElseThrow()).isBetween(4_000L, 5_600L);

    takeEvery(2, 150, storage);
    assertThat(told).as("the window is full of the new rate").hasSize(1);
    assertThat(told.getFirst()).startsWith("soon ");
    assertThat(Long.parseLong(told.getFirst().substring("soon ".length())))
        .isBetween(300L, RoomWarnings.WARN_SECONDS);
    assertThat(storage.space().fullInSeconds().orElseThrow()).isBetween(150L, 250L);

    storage.append(sparse("more", 256L * MIB), List.of(), KEEPER);
    assertThat(storage.space().fullInSeconds().orElseThrow()).isBetween(600L, 800L);
    takeEvery(2, 60, storage);
    assertThat(told).as("again, as more was appended in between").hasSize(2);

    clock.advance(Duration.ofMinutes(6));
    assertThat(storage.space().fullInSeconds()).as("nothing is taken any more").isEmpty();
  }

  @Test
  void warnsBeforeItIsFullHoweverSmallItIs() throws IOException {
    for (int blocks : List.of(5, 8, 16, 63, 100, 200)) {
      told.clear();
      DiffStorage storage = create("small" + blocks + ".diff", (long) blocks * BLOCK);
      for (int i = 0; i < blocks - 2; i++) {
        storage.allocate(1);
      }
      assertThat(told).as("%d blocks", blocks).containsExactly("low 2048");
    }
  }

  @Test
  void goesOnInTheNextRangeAndReadsBackWhatWasWritten() throws IOException {
    DiffStorage storage = create("a.diff", 8 * BLOCK);
    Path more = sparse("more", 64 * BLOCK);
    storage.append(more, List.of(new SectorRange(64, 64), new SectorRange(256, 64)), KEEPER);
    var regions = new ArrayList<DiffStorage.Region>();
    for (int i = 0; i < 7 + 7 + 7; i++) {
      DiffStorage.Region region = storage.allocate(1);
      ByteBuffer block = ByteBuffer.allocateDirect(BLOCK);
      storage.write(region.location(), block.put(Bytes.pattern(i, 0, BLOCK)).flip());
      regions.add(region);
    }
    refused(Errno.ENOSPC, () -> storage.allocate(1));
    for (int i = 0; i < regions.size(); i++) {
      ByteBuffer back = ByteBuffer.allocateDirect(BLOCK);
      storage.read(regions.get(i).location(), back);
      byte[] bytes = new byte[BLOCK];
      back.flip().get(bytes);
      assertThat(bytes).as("block %d", i).isEqualTo(Bytes.pattern(i, 0, BLOCK));
    }
    byte[] file = Files.readAllBytes(more);
    assertThat(Arrays.copyOfRange(file, 0, 8 * BLOCK)).containsOnly(0);
    assertThat(Arrays.copyOfRange(file, 16 * BLOCK, 32 * BLOCK)).containsOnly(0);
    assertThat(Arrays.copyOfRange(file, 40 * BLOCK, 64 * BLOCK)).containsOnly(0);
  }

  @Test
  void appendingWakesWhoWaitsForRoom() throws Exception {
    DiffStorage storage = create("a.diff", 8 * BLOCK);
    CompletableFuture<Boolean> waiter = waitForRoom(storage);
    storage.append(sparse("more", MIB), List.of(), KEEPER);
    assertThat(waiter.get(1, TimeUnit.MINUTES)).isTrue();
  }

  @Test
  void whoWaitsForRoomIsToldWhenTheSnapshotGoes() throws Exception {
    DiffStorage storage = create("a.diff", 8 * BLOCK);
    CompletableFuture<Boolean> waiter = waitForRoom(storage);
    storage.disown();
    assertThat(waiter.get(1, TimeUnit.MINUTES)).isFalse();
  }

  /** Returns when the other thread waits. */
  private static CompletableFuture<Boolean> waitForRoom(DiffStorage storage) {
    var result = new CompletableFuture<Boolean>();
    Thread thread =
        Thread.ofPlatform()
            .daemon()
            .start(() -> {
              try {
                result.complete(storage.awaitRoom(TimeUnit.HOURS.toMillis(1)));
              } catch (InterruptedException e) {
                result.completeExceptionally(e);
              }
            });
    while (thread.getState() != Thread.State.TIMED_WAITING && !result.isDone()) {
      Thread.onSpinWait();
    }
    return result;
  }

  @Test
  void handsReleasedBlocksOutAgainWhileTheSnapshotLives() throws IOException {
    DiffStorage storage = create("a.diff", 8 * BLOCK);
    DiffStorage.Region first = storage.allocate(3);
    fill(storage);
    storage.release(first.location() + 1, 2);
    assertThat(storage.space().filled()).isEqualTo(5 * BLOCK);
    assertThat(storage.space().free()).isEqualTo(2 * BLOCK);
    assertThat(List.of(storage.allocate(1).location(), storage.allocate(8).location()))
        .containsExactlyInAnyOrder(first.location() + 1, first.location() + 2);
    refused(Errno.ENOSPC, () -> storage.allocate(1));
  }

  private void removeUnused() {
    table.removeUnused(
        KEEPER,
        e -> {
          throw new AssertionError(e);
        });
  }

  @Test
  void itsNumberIsNotGivenAwayBeforeItIsForgotten() throws IOException {
    DiffStorage storage = create("a.diff", 4 * MIB);
    storage.disown();
    List<Integer> numbers = new ArrayList<>();
    var keeper =
        new DiffStorage.RangeKeeper() {
          @Override
          public void keep(DiffStorage kept, List<RangeDescription> ranges) {}

          @Override
          public void forget(DiffStorage forgotten) throws IOException {
            numbers.add(create("b.diff", 4 * MIB).number());
            numbers.add(forgotten.number());
          }
        };
    table.removeUnused(
        keeper,
        e -> {
          throw new AssertionError(e);
        });
    assertThat(numbers).doesNotHaveDuplicates().hasSize(2);
  }

  @Test
  void goesWithItsSnapshotAndItsLastBlock() throws IOException {
    DiffStorage storage = create("a.diff", 4 * MIB);
    DiffStorage.Region region = storage.allocate(2);
    removeUnused();
    storage.disown();
    removeUnused();
    storage.release(region.location(), 1);
    removeUnused();
    assertThat(table.all()).containsExactly(storage);
    storage.release(region.location() + 1, 1);
    removeUnused();
    assertThat(directory.resolve("a.diff")).doesNotExist();
    assertThat(table.all()).isEmpty();
  }

  @Test
  void removesOnlyTheFilesThatWereMadeForIt() throws IOException {
    Path empty = Files.createFile(directory.resolve("empty.diff"));
    Path given = sparse("given", MIB);
    Path home = Files.createDirectory(directory.resolve("home"));
    DiffStorage one = table.create(SNAPSHOT, empty, OptionalLong.empty(), listener, KEEPER);
    one.append(given, List.of(), KEEPER);
    UUID other = UUID.randomUUID();
    DiffStorage two = table.create(other, home, OptionalLong.empty(), listener, KEEPER);
    assertThat(home.resolve(other + ".diff")).exists();
    one.disown();
    two.disown();

    removeUnused();

    assertThat(table.all()).isEmpty();
    assertThat(empty).exists();
    assertThat(given).exists();
    assertThat(home).isEmptyDirectory();
  }

  @Test
  void aRefusedCreateLeavesNoFileAndNoNumberTaken() throws IOException {
    refused(Errno.EINVAL, () -> create("a.diff", 4095), "4095", "4096");
    refused(Errno.ENOENT, () -> create("no/a.diff", MIB), "no");
    assertThat(directory).isEmptyDirectory();
    assertThat(create("a.diff", MIB).number()).isZero();
  }

  @Test
  void opensAgainOnlyWhatIsItsOwn() throws IOException {
    DiffStorage storage = create("a.diff", 4 * MIB);
    List<RangeDescription> ranges = storage.describe();
    close(table);
    Path file = directory.resolve("a.diff");
    byte[] header = Arrays.copyOf(Files.readAllBytes(file), BLOCK);
    var messages = new ArrayList<String>();
    messages.add(refusedReopen(ranges, damaged(header, 0), SNAPSHOT));
    messages.add(refusedReopen(ranges, damaged(header, 4), SNAPSHOT));
    messages.add(refusedReopen(ranges, damaged(header, 10), SNAPSHOT));
    messages.add(refusedReopen(ranges, header, UUID.randomUUID()));
    assertThat(messages).doesNotHaveDuplicates();
    for (int at : List.of(24, 28, 32)) {
      refusedReopen(ranges, damaged(header, at), SNAPSHOT);
    }
    refusedReopen(ranges, new byte[BLOCK], SNAPSHOT);

    overwrite(file, header);
    var fresh = new StorageTable(parameters, (path, status) -> {});
    DiffStorage again = fresh.reopen(0, SNAPSHOT, ranges, listener);
    again.adopt(Location.of(0, 0, 41), 2);
    assertThat(again.allocate(1).location()).isEqualTo(Location.of(0, 0, 43));
    assertThat(again.space().filled()).isEqualTo(3 * BLOCK);
    close(fresh);
  }

  @Test
  void removesAFileWhoseHeaderCameOnlyInPartAndNoOtherOne() throws IOException {
    List<RangeDescription> ranges = create("a.diff", 4 * MIB).describe();
    close(table);
    Path file = directory.resolve("a.diff");
    byte[] header = Arrays.copyOf(Files.readAllBytes(file), BLOCK);
    Files.delete(file);
    for (int bytes : List.of(0, 1, 4, 17, 35, BLOCK)) {
      overwrite(file, Arrays.copyOf(Arrays.copyOf(header, bytes), BLOCK));
      assertThat(removalOfMissing(ranges)).as("%d bytes of its header", bytes).isEmpty();
      assertThat(file).doesNotExist();
    }
    for (int at : List.of(0, 10, 35, 36, BLOCK - 1, 2 * BLOCK)) {
      overwrite(file, damaged(Arrays.copyOf(Arrays.copyOf(header, 20), 3 * BLOCK), at));
      assertThat(removalOfMissing(ranges)).as("byte %d is another", at).hasSize(1);
      Files.delete(file);
    }
  }

  /** What was said against removing a storage that could not be opened. */
  private List<IOException> removalOfMissing(List<RangeDescription> ranges) throws IOException {
    var fresh = new StorageTable(parameters, (path, status) -> {});
    fresh.missing(0, SNAPSHOT, ranges, listener).disown();
    var said = new ArrayList<IOException>();
    fresh.removeUnused(KEEPER, said::add);
    return said;
  }

  private static byte[] damaged(byte[] header, int at) {
    byte[] damaged = header.clone();
    damaged[at] ^= 0x40;
    return damaged;
  }

  private String refusedReopen(List<RangeDescription> ranges, byte[] header, UUID snapshot)
      throws IOException {
    overwrite(directory.resolve("a.diff"), header);
    var fresh = new StorageTable(parameters, (path, status) -> {});
    BlkSnapException refusal =
        refused(Errno.EBADMSG, () -> fresh.reopen(0, snapshot, ranges, listener), "a.diff");
    assertThat(fresh.all()).isEmpty();
    return refusal.sentence();
  }

  private static void overwrite(Path file, byte[] header) throws IOException {
    try (var open = new RandomAccessFile(file.toFile(), "rw")) {
      open.write(header);
    }
  }
}
