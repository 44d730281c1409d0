package blksnap.tracker;

import blksnap.cbt.CbtGeometry;
import blksnap.cbt.CbtMap;
import blksnap.cbt.WriteIntent;
import blksnap.device.ResizableDevice;
import blksnap.log.LogRing;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
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

/** All that a tracked device adds to a write of 4 KiB: the disk under it is memory. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@State(Scope.Benchmark)
public class TrackedWriteBench {
  private static final int CAPACITY = 64 << 20;
  private static final int WRITE_BYTES = 4096;

  private final MemoryDisk disk = new MemoryDisk();
  private Path directory;
  private TrackedDevice device;
  private TrackedDevice.Tracking tracking;

  /** Each thread's own choice of places, and what it writes there. */
  @State(Scope.Thread)
  public static class Client {
    private final SplittableRandom random = new SplittableRandom(Thread.currentThread().threadId());
    private final ByteBuffer source = ByteBuffer.allocateDirect(WRITE_BYTES);

    long next() {
      return (long) random.nextInt(CAPACITY / WRITE_BYTES) * WRITE_BYTES;
    }
  }

  @Setup
  public void create() throws IOException {
    directory = Files.createTempDirectory("blksnap-bench");
    tracking =
        new TrackedDevice.Tracking(
            CbtMap.create(directory.resolve("cbt"), CbtGeometry.of(CAPACITY, 16, 1 << 21)),
            WriteIntent.create(directory.resolve("intent"), CAPACITY, 24, InstantSource.system()));
    device =
        new TrackedDevice("vm1", disk, tracking, InstantSource.system(), name -> {}, new LogRing());
  }

  @TearDown
  public void remove() throws IOException {
    tracking.intent().close();
    tracking.map().close();
    Files.delete(directory.resolve("intent"));
    Files.delete(directory.resolve("cbt"));
    Files.delete(directory);
  }

  @Benchmark
  public void bare(Client client) {
    disk.write(client.next(), client.source.clear());
  }

  @Benchmark
  public void tracked(Client client) throws IOException {
    device.write(client.next(), client.source.clear());
  }

  @Benchmark
  @Threads(2)
  public void trackedBesideAnother(Client client) throws IOException {
    device.write(client.next(), client.source.clear());
  }

  /** Bytes in memory, without a thought about who else writes them. */
  private static final class MemoryDisk implements ResizableDevice {
    private final ByteBuffer bytes = ByteBuffer.allocateDirect(CAPACITY);

    @Override
    public long sizeBytes() {
      return CAPACITY;
    }

    @Override
    public boolean readOnly() {
      return false;
    }

    @Override
    public void read(long offset, ByteBuffer target) {
      target.put(bytes.slice((int) offset, target.remaining()));
    }

    @Override
    public void write(long offset, ByteBuffer source) {
      int length = source.remaining();
      bytes.put((int) offset, source, source.position(), length);
      source.position(source.position() + length);
    }

    @Override
    public void discard(long offset, long length) {}

    @Override
    public void writeZeroes(long offset, long length, boolean noHole) {}

    @Override
    public void flush() {}

    @Override
    public List<Extent> allocation(long offset, long length, int maxExtents) {
      return List.of(new Extent(length, false));
    }

    @Override
    public void resize(long newSizeBytes) {}

    @Override
    public void close() {}
  }
}
