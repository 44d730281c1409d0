package blksnap.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.abort;

import blksnap.device.BlockDevice;
import blksnap.device.BlockDevice.Extent;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.testing.Bytes;
import blksnap.testing.Seeds;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What every {@link BlockDevice} does. Its own test extends this and says how to make one. */
public abstract class BlockDeviceContract {
  /** Not a multiple of 4096, so that the end is within a block. */
  protected static final int SIZE_BYTES = 256 * 1024 + 3 * 512;

  private static final int MAX_EXTENTS = 1000;

  private final ArrayDeque<BlockDevice> opened = new ArrayDeque<>();

  /** A new writable disk of {@link #SIZE_BYTES} zeroes. */
  protected abstract BlockDevice create() throws IOException;

  /** A new read-only disk of {@link #SIZE_BYTES}; empty when this kind has none. */
  protected abstract Optional<BlockDevice> createReadOnly() throws IOException;

  /**
   * Closes what the test opened; for those who must do more afterwards, harmless to call before.
   */
  @AfterEach
  protected final void closeAll() throws IOException {
    while (!opened.isEmpty()) {
      opened.pop().close();
    }
  }

  private BlockDevice device() throws IOException {
    BlockDevice device = create();
    opened.push(device);
    return device;
  }

  /** A disk in which every byte tells where it belongs. */
  private BlockDevice patterned() throws IOException {
    BlockDevice device = device();
    Bytes.write(device, 0, Bytes.pattern(1, 0, SIZE_BYTES));
    return device;
  }

  @Test
  void hasTheSizeItWasMadeWith() throws IOException {
    assertThat(device().sizeBytes()).isEqualTo(SIZE_BYTES);
    assertThat(device().readOnly()).isFalse();
  }

  @Test
  void readsZeroesWhereNothingWasWritten() throws IOException {
    assertThat(Bytes.read(device(), 0, SIZE_BYTES)).isEqualTo(Bytes.zeroes(SIZE_BYTES));
  }

  @Test
  void readsBackWhatWasWrittenAtItsVeryEdges() throws IOException {
    BlockDevice device = device();
    Bytes.write(device, 0, new byte[] {7});
    Bytes.write(device, SIZE_BYTES - 1, new byte[] {9});
    byte[] expected = Bytes.zeroes(SIZE_BYTES);
    expected[0] = 7;
    expected[SIZE_BYTES - 1] = 9;
    assertThat(Bytes.read(device, 0, SIZE_BYTES)).isEqualTo(expected);
    assertThat(Bytes.read(device, SIZE_BYTES - 1, 1)).isEqualTo(new byte[] {9});
  }

  @Test
  void takesTheBytesBetweenPositionAndLimitAndLeavesTheOthersAlone() throws IOException {
    BlockDevice device = device();
    byte[] whole = Bytes.pattern(1, 0, 100);
    ByteBuffer source = ByteBuffer.wrap(whole).position(10).limit(30);
    device.write(1000, source);
    assertThat(source.position()).isEqualTo(30);
    assertThat(source.limit()).isEqualTo(30);

    ByteBuffer target = ByteBuffer.wrap(Bytes.repeated('x', 100)).position(40).limit(60);
    device.read(1000, target);
    assertThat(target.position()).isEqualTo(60);
    byte[] expected = Bytes.repeated('x', 100);
    System.arraycopy(whole, 10, expected, 40, 20);
    assertThat(target.array()).isEqualTo(expected);
  }

  @Test
  void acceptsAnEmptyRequestAnywhereUpToItsEnd() throws IOException {
    BlockDevice device = patterned();
    for (long offset : List.of(0L, 1L, 4096L, (long) SIZE_BYTES)) {
      device.read(offset, ByteBuffer.allocate(0));
      device.write(offset, ByteBuffer.allocateDirect(0));
      device.discard(offset, 0);
      device.writeZeroes(offset, 0, false);
      device.writeZeroes(offset, 0, true);
    }
    assertThat(Bytes.read(device, 0, SIZE_BYTES)).isEqualTo(Bytes.pattern(1, 0, SIZE_BYTES));
  }

  @Test
  void agreesWithAByteArrayAfterAnySequenceOfChanges() throws IOException {
    Seeds seed = Seeds.ofRun();
    Random random = seed.random();
    BlockDevice device = device();
    byte[] model = Bytes.zeroes(SIZE_BYTES);
    for (int round = 0; round < 400; round++) {
      change(device, model, random, round);
      int offset = random.nextInt(SIZE_BYTES);
      int length = length(random, offset);
      ByteBuffer target = buffer(random, length);
      device.read(offset, target);
      byte[] got = new byte[length];
      target.flip().get(got);
      byte[] expected = new byte[length];
      System.arraycopy(model, offset, expected, 0, length);
      assertThat(got)
          .as("round %d, %d bytes at %d, %s", round, length, offset, seed)
          .isEqualTo(expected);
    }
    device.flush();
    assertThat(Bytes.read(device, 0, SIZE_BYTES)).as("%s", seed).isEqualTo(model);
  }

  private static void change(BlockDevice device, byte[] model, Random random, int round)
      throws IOException {
    int offset = random.nextInt(SIZE_BYTES);
    int length = length(random, offset);
    switch (random.nextInt(8)) {
      case 0 -> {
        device.discard(offset, length);
        byte[] after = Bytes.read(device, offset, length);
        for (int i = 0; i < length; i++) {
          assertThat(after[i]).isIn((byte) 0, model[offset + i]);
        }
        System.arraycopy(after, 0, model, offset, length);
      }
      case 1 -> {
        device.writeZeroes(offset, length, random.nextBoolean());
        System.arraycopy(Bytes.zeroes(length), 0, model, offset, length);
      }
      default -> {
        byte[] content = Bytes.pattern(round, offset, length);
        device.write(offset, buffer(random, length).put(content).flip());
        System.arraycopy(content, 0, model, offset, length);
      }
    }
  }

  /** Short or long, aligned or not. */
  private static int length(Random random, int offset) {
    int length =
        switch (random.nextInt(4)) {
          case 0 -> 1 + random.nextInt(20);
          case 1 -> 512 * (1 + random.nextInt(16));
          case 2 -> 4096 * (1 + random.nextInt(8)) - offset % 4096;
          default -> 1 + random.nextInt(50_000);
        };
    return Math.min(length, SIZE_BYTES - offset);
  }

  /** On the heap, aligned to a page, or direct but at an odd address; its position is 0. */
  private static ByteBuffer buffer(Random random, int bytes) {
    ByteBuffer pages = ByteBuffer.allocateDirect(bytes + 3 * 4096).alignedSlice(4096);
    return switch (random.nextInt(3)) {
      case 0 -> ByteBuffer.allocate(bytes);
      case 1 -> pages.slice(0, bytes);
      default -> pages.slice(1 + random.nextInt(4095), bytes);
    };
  }

  @Test
  void zeroesARangeAndNothingBesideIt() throws IOException {
    for (boolean noHole : List.of(true, false)) {
      BlockDevice device = patterned();
      device.writeZeroes(4000, 20_001, noHole);
      byte[] expected = Bytes.pattern(1, 0, SIZE_BYTES);
      System.arraycopy(Bytes.zeroes(20_001), 0, expected, 4000, 20_001);
      assertThat(Bytes.read(device, 0, SIZE_BYTES)).as("no hole: %s", noHole).isEqualTo(expected);
    }
  }

  @Test
  void zeroesAllOfItself() throws IOException {
    for (boolean noHole : List.of(true, false)) {
      BlockDevice device = patterned();
      device.writeZeroes(0, SIZE_BYTES, noHole);
      assertThat(Bytes.read(device, 0, SIZE_BYTES)).isEqualTo(Bytes.zeroes(SIZE_BYTES));
    }
  }

  @Test
  void keepsWhatIsBesideADiscardedRange() throws IOException {
    BlockDevice device = patterned();
    device.discard(5000, 30_000);
    assertThat(Bytes.read(device, 0, 5000)).isEqualTo(Bytes.pattern(1, 0, 5000));
    int rest = SIZE_BYTES - 35_000;
    assertThat(Bytes.read(device, 35_000, rest)).isEqualTo(Bytes.pattern(1, 35_000, rest));
  }

  @Test
  void describesEveryRangeExactlyAndNeverCallsDataAHole() throws IOException {
    BlockDevice device = device();
    Bytes.write(device, 70_000, Bytes.pattern(1, 70_000, 30_000));
    device.writeZeroes(80_000, 10_000, false);
    for (int offset : List.of(0, 1, 511, 69_999, 70_000, 99_999, SIZE_BYTES - 1)) {
      for (int length : List.of(1, 4096, 100_000, SIZE_BYTES)) {
        int clipped = Math.min(length, SIZE_BYTES - offset);
        List<Extent> extents = device.allocation(offset, clipped, MAX_EXTENTS);
        assertThat(extents).isNotEmpty();
        assertThat(extents.stream().mapToLong(Extent::length).sum()).isEqualTo(clipped);
        assertHolesReadAsZeroes(device, offset, extents);
      }
    }
  }

  private static void assertHolesReadAsZeroes(BlockDevice device, long offset, List<Extent> extents)
      throws IOException {
    long at = offset;
    for (Extent extent : extents) {
      int length = (int) extent.length();
      if (extent.hole()) {
        assertThat(Bytes.read(device, at, length)).isEqualTo(Bytes.zeroes(length));
      }
      at += length;
    }
  }

  @Test
  void describesAsManyExtentsAsAskedFor() throws IOException {
    BlockDevice device = device();
    Bytes.write(device, 65_536, Bytes.pattern(1, 65_536, 65_536));
    List<Extent> all = device.allocation(0, SIZE_BYTES, MAX_EXTENTS);
    assertThat(device.allocation(0, SIZE_BYTES, 1)).isEqualTo(all.subList(0, 1));
    int two = Math.min(2, all.size());
    assertThat(device.allocation(0, SIZE_BYTES, 2)).isEqualTo(all.subList(0, two));
  }

  @Test
  void refusesARangeThatIsNotWhollyInsideBeforeAnyEffect() throws IOException {
    BlockDevice device = patterned();
    for (long offset : List.of(-1L, SIZE_BYTES - 1L, (long) SIZE_BYTES, Long.MAX_VALUE)) {
      assertOutside(() -> device.read(offset, ByteBuffer.allocate(2)));
      assertOutside(() -> device.write(offset, ByteBuffer.allocate(2)));
      assertOutside(() -> device.discard(offset, 2));
      assertOutside(() -> device.writeZeroes(offset, 2, false));
      assertOutside(() -> device.writeZeroes(offset, 2, true));
      assertOutside(() -> device.allocation(offset, 2, 1));
    }
    assertOutside(() -> device.discard(1, Long.MAX_VALUE));
    assertThat(Bytes.read(device, 0, SIZE_BYTES)).isEqualTo(Bytes.pattern(1, 0, SIZE_BYTES));
  }

  private static void assertOutside(ThrowingCallable call) {
    assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(call);
  }

  @Test
  void refusesEveryChangeWhenReadOnly() throws IOException {
    Optional<BlockDevice> made = createReadOnly();
    made.ifPresent(opened::push);
    BlockDevice device = made.orElseGet(() -> abort("there is no read-only device of this kind"));
    byte[] before = Bytes.read(device, 0, SIZE_BYTES);
    assertThat(device.readOnly()).isTrue();
    assertErrno(Errno.EPERM, () -> device.write(0, ByteBuffer.wrap(Bytes.filled('a', 1))));
    assertErrno(Errno.EPERM, () -> device.discard(0, 4096));
    assertErrno(Errno.EPERM, () -> device.writeZeroes(0, 4096, false));
    assertErrno(Errno.EPERM, () -> device.writeZeroes(0, 4096, true));
    device.flush();
    assertThat(device.allocation(0, SIZE_BYTES, MAX_EXTENTS)).isNotEmpty();
    assertThat(Bytes.read(device, 0, SIZE_BYTES)).isEqualTo(before);
  }

  @Test
  void refusesEverythingAfterCloseAndMayBeClosedAgain() throws IOException {
    BlockDevice device = device();
    device.close();
    assertErrno(Errno.ESHUTDOWN, () -> device.read(0, ByteBuffer.allocate(1)));
    assertErrno(Errno.ESHUTDOWN, () -> device.write(0, ByteBuffer.allocate(1)));
    assertErrno(Errno.ESHUTDOWN, () -> device.discard(0, 4096));
    assertErrno(Errno.ESHUTDOWN, () -> device.writeZeroes(0, 4096, false));
    assertErrno(Errno.ESHUTDOWN, device::flush);
    assertErrno(Errno.ESHUTDOWN, () -> device.allocation(0, 4096, 1));
    assertThatCode(device::close).doesNotThrowAnyException();
  }

  private static void assertErrno(Errno errno, ThrowingCallable call) {
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(call)
        .satisfies(e -> assertThat(e.errno()).isEqualTo(errno));
  }

  @Test
  void keepsConcurrentChangesOfNeighbouringBytesApart() throws Exception {
    int writers = 4;
    int cell = 96; // many cells to a sector, and some across two
    int cells = SIZE_BYTES / cell;
    BlockDevice device = patterned();
    var tasks = new ArrayList<Task>();
    for (int writer = 0; writer < writers; writer++) {
      int mine = writer;
      tasks.add(() -> {
        for (int i = mine; i < cells; i += writers) {
          if (mine == 0) {
            device.writeZeroes((long) i * cell, cell, i % 8 == 0);
          } else {
            Bytes.write(device, (long) i * cell, Bytes.pattern(2, (long) i * cell, cell));
          }
        }
      });
    }
    runTogether(tasks);
    byte[] expected = Bytes.pattern(2, 0, SIZE_BYTES);
    for (int i = 0; i < cells; i += writers) {
      System.arraycopy(Bytes.zeroes(cell), 0, expected, i * cell, cell);
    }
    int end = cells * cell;
    System.arraycopy(Bytes.pattern(1, end, SIZE_BYTES - end), 0, expected, end, SIZE_BYTES - end);
    assertThat(Bytes.read(device, 0, SIZE_BYTES)).isEqualTo(expected);
  }

  @Test
  void keepsLargeAndSmallConcurrentWritesApart() throws Exception {
    BlockDevice device = device();
    int block = 4096;
    int blocks = SIZE_BYTES / block;
    // One writes whole aligned blocks up to an odd end, the other the rest of the block it ends in.
    Task large =
        () -> {
          for (int i = 0; i + 1 < blocks; i += 2) {
            int length = block + 1000;
            Bytes.write(device, (long) i * block, Bytes.pattern(3, (long) i * block, length));
          }
        };
    Task small =
        () -> {
          for (int i = 0; i + 1 < blocks; i += 2) {
            long at = (long) (i + 1) * block + 1000;
            Bytes.write(device, at, Bytes.pattern(3, at, block - 1000));
          }
        };
    runTogether(List.of(large, small));
    int end = blocks / 2 * 2 * block;
    assertThat(Bytes.read(device, 0, end)).isEqualTo(Bytes.pattern(3, 0, end));
  }

  @Test
  void letsCallsInFlightEndBeforeItCloses() throws Exception {
    BlockDevice device = device();
    var started = new CountDownLatch(3);
    Task worker =
        () -> {
          started.countDown();
          try {
            for (int i = 0; ; i = (i + 1) % 50) {
              byte[] content = Bytes.pattern(i, 0, 5000);
              Bytes.write(device, 1000, content);
              Bytes.read(device, 0, 10_000);
              device.flush();
            }
          } catch (BlkSnapException e) {
            assertThat(e.errno()).isEqualTo(Errno.ESHUTDOWN);
          }
        };
    Task closer =
        () -> {
          started.await();
          device.close();
        };
    runTogether(List.of(worker, worker, worker, closer));
  }

  private static void runTogether(List<Task> tasks) throws Exception {
    try (ExecutorService threads = Executors.newFixedThreadPool(tasks.size())) {
      var running = new ArrayList<Future<?>>();
      for (Task task : tasks) {
        running.add(
            threads.submit(() -> {
              task.run();
              return true;
            }));
      }
      for (Future<?> future : running) {
        future.get();
      }
    }
  }

  /** One thread's part. */
  @FunctionalInterface
  private interface Task {
    void run() throws Exception;
  }
}
