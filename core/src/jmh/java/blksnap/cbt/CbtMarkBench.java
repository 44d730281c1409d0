package blksnap.cbt;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Threads;

/**
 * Marking 4 KiB somewhere on 1 TiB, and asking the write-intent record whether it may be written.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@State(Scope.Benchmark)
public class CbtMarkBench {
  private static final long CAPACITY = 1L << 40;
  private static final int WRITE_BYTES = 4096;

  private Path directory;
  private CbtMap map;
  private WriteIntent intent;

  /** Each thread's own choice of places. */
  @State(Scope.Thread)
  public static class Place {
    private final SplittableRandom random = new SplittableRandom(Thread.currentThread().threadId());

    long next() {
      return random.nextLong(CAPACITY / WRITE_BYTES) * WRITE_BYTES;
    }
  }

  @Setup
  public void create() throws IOException {
    directory = Files.createTempDirectory("blksnap-bench");
    map = CbtMap.create(directory.resolve("cbt"), CbtGeometry.of(CAPACITY, 16, 1 << 21));
    intent = WriteIntent.create(directory.resolve("intent"), CAPACITY, 24, InstantSource.system());
    intent.open(0, CAPACITY);
  }

  @TearDown
  public void remove() throws IOException {
    intent.close();
    map.close();
    Files.delete(directory.resolve("intent"));
    Files.delete(directory.resolve("cbt"));
    Files.delete(directory);
  }

  @Benchmark
  public void mark(Place place) {
    map.mark(place.next(), WRITE_BYTES);
  }

  @Benchmark
  @Threads(2)
  public void markBesideAnother(Place place) {
    map.mark(place.next(), WRITE_BYTES);
  }

  @Benchmark
  public void findsItsRegionOpen(Place place) throws IOException {
    intent.open(place.next(), WRITE_BYTES);
  }
}
