package blksnap.diffarea;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Threads;

/** What an overwrite and an image's read ask of the map of an area that holds a million blocks. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@State(Scope.Benchmark)
public class BlockMapBench {
  private static final int HELD_BLOCKS = 1 << 20;

  /** How far the held blocks lie from each other; 64: each is alone in its group. */
  @Param({"1", "16", "64"})
  public int distance;

  private final BlockMap map = new BlockMap();

  /** Each thread's own choice of blocks, and what it found. */
  @State(Scope.Thread)
  public static class Place {
    private final SplittableRandom random = new SplittableRandom(Thread.currentThread().threadId());
    private final long[] locations = new long[1];
    private final int[] checksums = new int[1];

    long next(int distance) {
      return random.nextLong(HELD_BLOCKS) * distance;
    }
  }

  @Setup
  public void fill() {
    for (int i = 0; i < HELD_BLOCKS; i++) {
      map.put((long) i * distance, i, i);
    }
  }

  @Benchmark
  public boolean holds(Place place) {
    return map.holds(place.next(distance));
  }

  @Benchmark
  @Threads(2)
  public boolean holdsBesideAnother(Place place) {
    return map.holds(place.next(distance));
  }

  @Benchmark
  public long find(Place place) {
    Arrays.fill(place.locations, BlockMap.ABSENT);
    map.find(place.next(distance), 1, place.locations, place.checksums, 0);
    return place.locations[0];
  }

  @Benchmark
  public long put(Place place) {
    return map.put(place.next(distance), 7, 7);
  }
}
