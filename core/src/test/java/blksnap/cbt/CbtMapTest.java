package blksnap.cbt;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.error.Errno;
import blksnap.sector.ByteRange;
import blksnap.testing.Seeds;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CbtMapTest {
  private static final long GIB = 1L << 30;
  private static final int BLOCK = 4096;
  private static final int SLOT_A = 512;
  private static final int SLOT_B = 1024;
  private static final CbtGeometry GEOMETRY = new CbtGeometry(100L * BLOCK - 512, 12);

  @TempDir Path directory;
  private int frozenMaps;

  private Path path() {
    return directory.resolve("cbt");
  }

  private CbtSnapshot freeze(CbtMap map) throws IOException {
    CbtSnapshot frozen =
        CbtSnapshot.create(directory.resolve("frozen" + frozenMaps++), map.geometry());
    map.freezeInto(frozen);
    return frozen;
  }

  @Test
  void whatIsMarkedWhileTheMapIsCopiedAheadIsInTheFrozenOne() throws Exception {
    var geometry = new CbtGeometry(300_000L * BLOCK, 12);
    Seeds seeds = Seeds.ofRun();
    try (CbtMap map = CbtMap.create(path(), geometry);
        ExecutorService threads = Executors.newFixedThreadPool(2)) {
      for (int take = 0; take < 20; take++) {
        Path file = directory.resolve("frozen" + frozenMaps++);
        try (CbtSnapshot frozen = CbtSnapshot.create(file, geometry)) {
          Random random = seeds.random(take);
          long[] marked = random.longs(2_000, 0, geometry.blockCount()).toArray();
          List<Future<?>> writers =
              IntStream.range(0, 2)
                  .<Future<?>>mapToObj(half -> threads.submit(() -> markHalf(map, marked, half)))
                  .toList();
          map.copyAhead(frozen);
          for (Future<?> writer : writers) {
            writer.get();
          }
          map.freezeInto(frozen);
          for (long block : marked) {
            assertThat(frozen.page(block, 1)).as("%s", seeds).containsExactly(take + 1);
          }
          assertThat(frozen.page(0, (int) geometry.blockCount()))
              .isEqualTo(map.page(0, (int) geometry.blockCount()));
        }
      }
    }
  }

  private static void markHalf(CbtMap map, long[] blocks, int half) {
    for (int i = half; i < blocks.length; i += 2) {
      map.mark(blocks[i] * BLOCK, BLOCK);
    }
  }

  @Test
  void aMapCopiedAheadForAnotherTakeIsCopiedWhole() throws IOException {
    try (CbtMap map = CbtMap.create(path(), GEOMETRY)) {
      map.mark(3 * BLOCK, BLOCK);
      try (CbtSnapshot first = CbtSnapshot.create(directory.resolve("first"), GEOMETRY);
          CbtSnapshot second = CbtSnapshot.create(directory.resolve("second"), GEOMETRY)) {
        map.copyAhead(first);
        map.freezeInto(second);
        map.mark(5 * BLOCK, BLOCK);
        map.freezeInto(first);
        assertThat(second.page(0, 6)).containsExactly(0, 0, 0, 1, 0, 0);
        assertThat(first.page(0, 6)).containsExactly(0, 0, 0, 1, 0, 2);
      }
    }
  }

  private static List<ByteRange> blocks(long... blocks) {
    var ranges = new ArrayList<ByteRange>();
    for (long block : blocks) {
      ranges.add(new ByteRange(block * BLOCK, BLOCK));
    }
    return ranges;
  }

  @ParameterizedTest
  @CsvSource({
    "1, 64",
    "128, 64",
    "129, 128",
    "256, 128",
    "257, 256",
    "512, 256",
    "513, 512",
    "1024, 512",
    "1025, 1024",
    "2048, 1024",
    "2049, 2048",
    "65536, 32768"
  })
  void theBlockIsTheSmallestAtWhichTheMapIsNotTooLong(long gib, long blockKib) {
    CbtGeometry geometry = CbtGeometry.of(gib * GIB, 16, 2_097_152);
    assertThat(geometry.blockBytes()).isEqualTo(blockKib << 10);
    assertThat(geometry.blockCount()).isEqualTo(Math.ceilDiv(gib * GIB, blockKib << 10));
  }

  @Test
  void aSectorBeyondTheTableMakesBlocksTwiceAsLarge() {
    assertThat(CbtGeometry.of(128 * GIB + 512, 16, 2_097_152).blockShift()).isEqualTo(17);
    assertThat(CbtGeometry.of(512, 9, 1).blockCount()).isEqualTo(1);
    assertThat(CbtGeometry.of(513 * 512, 9, 1)).isEqualTo(new CbtGeometry(513 * 512, 19));
  }

  @Test
  void marksEveryBlockThatARangeTouches() throws IOException {
    try (CbtMap map = CbtMap.create(path(), GEOMETRY)) {
      map.mark(3L * BLOCK + 4095, 1);
      map.mark(5L * BLOCK + 1, BLOCK);
      map.mark(GEOMETRY.capacityBytes() - 1, 1);
      assertThat(map.changedSince(0, 0, 9).ranges())
          .containsExactly(
              new ByteRange(3L * BLOCK, BLOCK),
              new ByteRange(5L * BLOCK, 2 * BLOCK),
              new ByteRange(99L * BLOCK, BLOCK - 512));
      assertThat(map.dirtyBlocks()).isEqualTo(4);
    }
  }

  @Test
  void aRangeOutsideTheDeviceIsNotMarkedAtAll() throws IOException {
    try (CbtMap map = CbtMap.create(path(), GEOMETRY)) {
      for (long offset : List.of(-1L, GEOMETRY.capacityBytes(), Long.MAX_VALUE)) {
        assertThatThrownBy(() -> map.mark(offset, 1)).isInstanceOf(IndexOutOfBoundsException.class);
      }
      assertThatThrownBy(() -> map.mark(0, GEOMETRY.capacityBytes() + 1))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> map.mark(0, 0)).isInstanceOf(IndexOutOfBoundsException.class);
      assertThat(map.dirtyBlocks()).isZero();
    }
  }

  @Test
  void aTakeEndsTheIntervalAndTheFrozenMapStays() throws IOException {
    try (CbtMap map = CbtMap.create(path(), GEOMETRY)) {
      map.mark(0, 1);
      try (CbtSnapshot first = freeze(map)) {
        assertThat(List.of(map.previous(), map.active())).containsExactly(1, 2);
        map.mark(7L * BLOCK, 1);
        assertThat(first.changedSince(0, 0, 9).ranges()).isEqualTo(blocks(0));
        assertThat(map.changedSince(1, 0, 9).ranges()).isEqualTo(blocks(7));
        assertThat(map.changedSince(0, 0, 9).ranges()).isEqualTo(blocks(0, 7));
        assertThat(map.dirtyBlocks()).isEqualTo(1);
        assertThat(first.numbers())
            .isEqualTo(new IntervalNumbers(map.generation(), 1, map.generation(), 1));
      }
    }
  }

  @Test
  void after255TakesANewGenerationStartsEmptyAndTheLastTakeIsItsZero() throws IOException {
    try (CbtMap map = CbtMap.create(path(), GEOMETRY)) {
      UUID generation = map.generation();
      for (int take = 1; take <= 254; take++) {
        map.mark(0, 1);
        freeze(map).close();
      }
      assertThat(map.generation()).isEqualTo(generation);
      assertThat(map.active()).isEqualTo(255);
      map.mark(9L * BLOCK, 1);
      try (CbtSnapshot last = freeze(map)) {
        assertThat(last.changedSince(254, 0, 9).ranges()).isEqualTo(blocks(9));
        assertThat(last.changedSince(0, 0, 9).ranges()).isEqualTo(blocks(0, 9));
        assertThat(map.generation()).isNotEqualTo(generation);
        assertThat(List.of(map.previous(), map.active())).containsExactly(0, 1);
        assertThat(map.dirtyBlocks()).isZero();
        assertThat(last.numbers())
            .isEqualTo(new IntervalNumbers(generation, 255, map.generation(), 0));
        map.mark(4L * BLOCK, 1);
        assertThat(map.changedSince(last.numbers().sinceNumber(), 0, 9).ranges())
            .isEqualTo(blocks(4));
      }
    }
  }

  @Test
  void aKillLosesNoMarkAndNoTake() throws IOException {
    CbtMap killed = CbtMap.create(path(), GEOMETRY); // not closed before it is opened again
    killed.mark(3L * BLOCK, 1);
    freeze(killed).close();
    killed.stamps().begin(5L * BLOCK, 1, 1_000);
    killed.mark(5L * BLOCK, 1);
    try (CbtMap map = CbtMap.open(path())) {
      assertThat(map.geometry()).isEqualTo(GEOMETRY);
      assertThat(map.generation()).isEqualTo(killed.generation());
      assertThat(List.of(map.previous(), map.active())).containsExactly(1, 2);
      assertThat(map.changedSince(0, 0, 9).ranges()).isEqualTo(blocks(3, 5));
      assertThat(map.changedSince(1, 0, 9).ranges()).isEqualTo(blocks(5));
      assertThat(map.stamps().left().inFlight()).isTrue();
    }
    killed.close();
  }

  @Test
  void aKillWhileTheMapStartsAnewDoesNotMixTwoGenerations() throws IOException {
    try (CbtMap map = CbtMap.create(path(), GEOMETRY)) {
      map.mark(3L * BLOCK, 1);
      freeze(map).close();
    }
    byte[] file = Files.readAllBytes(path());
    UUID fresh = UUID.randomUUID();
    putSlot(file, SLOT_A, 2, fresh, 1, 0, 1);
    Files.write(path(), file);
    try (CbtMap map = CbtMap.open(path())) {
      assertThat(map.generation()).isEqualTo(fresh);
      assertThat(List.of(map.previous(), map.active())).containsExactly(0, 1);
      assertThat(map.changedSince(0, 0, 9).ranges()).isEmpty();
      map.mark(8L * BLOCK, 1);
    }
    try (CbtMap map = CbtMap.open(path())) {
      assertThat(map.changedSince(0, 0, 9).ranges()).as("cleared once").isEqualTo(blocks(8));
    }
  }

  private static void putSlot(
      byte[] file, int at, long sequence, UUID generation, int active, int previous, int flags) {
    ByteBuffer slot = ByteBuffer.wrap(file, at, 64).slice().order(ByteOrder.LITTLE_ENDIAN);
    slot.putLong(sequence);
    slot.putLong(generation.getMostSignificantBits());
    slot.putLong(generation.getLeastSignificantBits());
    slot.putInt(active).putInt(previous).putInt(flags);
    var crc = new CRC32C();
    crc.update(file, at, 60);
    slot.putInt(60, (int) crc.getValue());
  }

  @Test
  void aTornStateSlotFallsBackToTheOneBefore() throws IOException {
    try (CbtMap map = CbtMap.create(path(), GEOMETRY)) {
      freeze(map).close(); // sequence 1, in slot B
      freeze(map).close(); // sequence 2, in slot A
    }
    byte[] whole = Files.readAllBytes(path());
    for (int at = 0; at < 64; at++) {
      byte[] torn = whole.clone();
      torn[SLOT_A + at] ^= (byte) 0x80;
      Files.write(path(), torn);
      try (CbtMap map = CbtMap.open(path())) {
        assertThat(map.previous()).as("byte %d", at).isEqualTo(1);
      }
      torn[SLOT_B + at] ^= (byte) 0x80;
      Files.write(path(), torn);
      refused(Errno.EBADMSG, () -> CbtMap.open(path()), "no valid state slot");
    }
  }

  @Test
  void eachDamageOfTheHeaderHasItsOwnSentence() throws IOException {
    CbtMap.create(path(), GEOMETRY).close();
    byte[] whole = Files.readAllBytes(path());
    var sentences = new ArrayList<String>();
    for (byte[] damaged :
        List.of(
            changed(whole, 0),
            changed(whole, 4),
            changed(whole, 25),
            Arrays.copyOf(whole, 4095),
            Arrays.copyOf(whole, whole.length - 1))) {
      Files.write(path(), damaged);
      sentences.add(
          refused(Errno.EBADMSG, () -> CbtMap.open(path()), path().toString()).sentence());
    }
    assertThat(sentences).doesNotHaveDuplicates();
    for (int at = 0; at < 28; at++) {
      Files.write(path(), changed(whole, at));
      refused(Errno.EBADMSG, () -> CbtMap.open(path()));
    }
  }

  @Test
  void aHeaderThatNobodyWouldWriteIsRefusedThoughItsChecksumIsRight() throws IOException {
    CbtMap.create(path(), GEOMETRY).close();
    byte[] whole = Files.readAllBytes(path());
    for (long capacity : new long[] {0, -512, 511, Long.MAX_VALUE, 1L << 60}) {
      Files.write(path(), sealedHeader(whole, capacity, GEOMETRY.blockShift()));
      refused(Errno.EBADMSG, () -> CbtMap.open(path()), path().toString());
    }
    for (int shift : new int[] {-1, 0, 8, 63, 64, Integer.MAX_VALUE}) {
      Files.write(path(), sealedHeader(whole, GEOMETRY.capacityBytes(), shift));
      refused(Errno.EBADMSG, () -> CbtMap.open(path()), path().toString());
    }
  }

  private static byte[] sealedHeader(byte[] whole, long capacity, int shift) {
    byte[] changed = whole.clone();
    ByteBuffer header = ByteBuffer.wrap(changed).order(ByteOrder.LITTLE_ENDIAN);
    header.putLong(8, capacity).putInt(16, shift);
    var crc = new CRC32C();
    crc.update(changed, 4, 20);
    header.putInt(24, (int) crc.getValue());
    return changed;
  }

  @Test
  void aStateSlotThatNobodyWouldWriteIsNotTaken() throws IOException {
    CbtMap.create(path(), GEOMETRY).close();
    byte[] whole = Files.readAllBytes(path());
    for (int[] state : new int[][] {{0, -1, 0}, {256, 255, 0}, {3, 1, 0}, {3, 2, 1}, {1, 0, 2}}) {
      byte[] changed = whole.clone();
      putSlot(changed, SLOT_B, 1, UUID.randomUUID(), state[0], state[1], state[2]);
      Files.write(path(), changed);
      try (CbtMap map = CbtMap.open(path())) {
        assertThat(List.of(map.active(), map.previous())).containsExactly(1, 0);
      }
    }
  }

  @Test
  void aMapOfATerabyteThatClaimsLittleIsNotGivenItsSpace() throws IOException {
    CbtMap.create(path(), GEOMETRY).close();
    try (var file = new RandomAccessFile(path().toFile(), "rw")) {
      file.setLength(1L << 40);
    }
    refused(Errno.EBADMSG, () -> CbtMap.open(path()), "is 1099511627776 bytes");
  }

  private static byte[] changed(byte[] bytes, int at) {
    byte[] changed = bytes.clone();
    changed[at] ^= 2;
    return changed;
  }

  @Test
  void aFrozenMapIsReadAgainAndADamagedOneRefused() throws IOException {
    Path file = directory.resolve("frozen0");
    IntervalNumbers numbers;
    try (CbtMap map = CbtMap.create(path(), GEOMETRY)) {
      map.mark(6L * BLOCK, 1);
      CbtSnapshot frozen = freeze(map); // as a kill leaves it
      numbers = frozen.numbers();
      frozen.mark(8L * BLOCK, 1);
      try (CbtSnapshot again = CbtSnapshot.open(file)) {
        assertThat(again.numbers()).isEqualTo(numbers);
        assertThat(again.changedSince(0, 0, 9).ranges()).isEqualTo(blocks(6, 8));
      }
      frozen.close();
    }
    byte[] whole = Files.readAllBytes(file);
    for (int at = 0; at < 64; at++) {
      Files.write(file, changed(whole, at));
      refused(Errno.EBADMSG, () -> CbtSnapshot.open(file), file.toString());
    }
    Files.delete(file);
    CbtSnapshot.create(file, GEOMETRY).close();
    refused(Errno.EBADMSG, () -> CbtSnapshot.open(file), "not a frozen change map");
  }

  @Test
  void aGrownMapKeepsItsHistory() throws IOException {
    try (CbtMap map = CbtMap.create(path(), new CbtGeometry(100L * BLOCK, 12));
        CbtMap grown =
            CbtMap.create(directory.resolve("grown"), new CbtGeometry(150L * BLOCK, 12))) {
      map.mark(3L * BLOCK, 1);
      freeze(map).close();
      map.mark(5L * BLOCK, 1);
      grown.continueFrom(map);
      assertThat(grown.generation()).isEqualTo(map.generation());
      assertThat(List.of(grown.previous(), grown.active())).containsExactly(1, 2);
      assertThat(grown.changedSince(0, 0, 9).ranges()).isEqualTo(blocks(3, 5));
      assertThat(grown.changedSince(1, 0, 9).ranges()).isEqualTo(blocks(5));
    }
  }
}
