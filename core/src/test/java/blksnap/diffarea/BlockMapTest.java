package blksnap.diffarea;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.diffstorage.Location;
import blksnap.testing.Seeds;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Against a plain map: dense runs, lone blocks, far ends of the largest disk. */
class BlockMapTest {
  private record Held(long location, int checksum) {}

  private final Seeds seed = Seeds.ofRun();
  private final Random random = seed.random();
  private final BlockMap map = new BlockMap();
  private final Map<Long, Held> model = new HashMap<>();

  private long anyBlock() {
    return switch (random.nextInt(3)) {
      case 0 -> random.nextInt(500);
      case 1 -> 1_000_000L + random.nextInt(100) * 4_096L;
      default -> (1L << 40) - 1 - random.nextInt(100);
    };
  }

  @Test
  void holdsWhatWasPutLast() {
    for (int i = 0; i < 20_000; i++) {
      long block = anyBlock();
      boolean zeroes = random.nextInt(4) == 0;
      Held held =
          zeroes
              ? new Held(Location.ZEROES, 0)
              : new Held(random.nextLong() >>> 2, random.nextInt());
      Held old = model.put(block, held);
      assertThat(map.put(block, held.location, held.checksum))
          .as("what block %d was at, %s", block, seed)
          .isEqualTo(old == null ? BlockMap.ABSENT : old.location);
      if (i % 500 == 0) {
        checkFind();
      }
    }
    checkFind();
    checkWhole();
  }

  private void checkFind() {
    for (int i = 0; i < 200; i++) {
      long first = anyBlock();
      int count = 1 + random.nextInt((int) (BlockMap.GROUP_BLOCKS - first % BlockMap.GROUP_BLOCKS));
      long[] locations = new long[count + 2];
      int[] checksums = new int[count + 2];
      Arrays.fill(locations, BlockMap.ABSENT);
      int absent = map.find(first, count, locations, checksums, 1);
      int expectedAbsent = 0;
      for (int j = 0; j < count; j++) {
        Held held = model.get(first + j);
        assertThat(map.holds(first + j)).isEqualTo(held != null);
        expectedAbsent += held == null ? 1 : 0;
        assertThat(locations[j + 1])
            .as("location of block %d, %s", first + j, seed)
            .isEqualTo(held == null ? BlockMap.ABSENT : held.location);
        assertThat(checksums[j + 1]).isEqualTo(held == null ? 0 : held.checksum);
      }
      assertThat(absent).isEqualTo(expectedAbsent);
      assertThat(locations[0]).isEqualTo(BlockMap.ABSENT);
      assertThat(locations[count + 1]).isEqualTo(BlockMap.ABSENT);
    }
  }

  private void checkWhole() {
    var visited = new HashMap<Long, Held>();
    map.forEach((block, location, checksum) ->
        assertThat(visited.put(block, new Held(location, checksum))).isNull());
    assertThat(visited).as(seed.toString()).isEqualTo(model);
    long zeroes = model.values().stream().filter(h -> h.location == Location.ZEROES).count();
    assertThat(map.zeroBlocks()).isEqualTo(zeroes);
    assertThat(map.storedBlocks()).isEqualTo(model.size() - zeroes);
    for (int shift = 0; shift <= 18; shift++) {
      int chunkShift = shift;
      assertThat(map.chunksTouched(chunkShift))
          .as("chunks of 2^%d blocks, %s", shift, seed)
          .isEqualTo(model.keySet().stream().map(block -> block >>> chunkShift).distinct().count());
    }
  }

  @Test
  void findsOnlyWhatIsStillAbsent() {
    map.put(3, 30, 33);
    map.put(4, 40, 44);
    long[] locations = {BlockMap.ABSENT, 99, BlockMap.ABSENT};
    int[] checksums = {0, 9, 0};
    assertThat(map.find(2, 3, locations, checksums, 0)).isEqualTo(1);
    assertThat(locations).containsExactly(BlockMap.ABSENT, 99, 40);
    assertThat(checksums).containsExactly(0, 9, 44);
  }

  @Test
  void anEmptyMapHoldsNothing() {
    assertThat(map.isEmpty()).isTrue();
    assertThat(map.held(0)).isZero();
    assertThat(map.chunksTouched(6)).isZero();
    map.put(0, Location.ZEROES, 0);
    assertThat(map.isEmpty()).isFalse();
  }
}
