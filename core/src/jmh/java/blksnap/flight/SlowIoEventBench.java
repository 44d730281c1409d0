package blksnap.flight;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import jdk.jfr.Recording;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** What a request pays for an event that might have been: {@code nothing} is the loop around it. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@State(Scope.Benchmark)
public class SlowIoEventBench {
  /** Never: as an engine usually runs. Stopped: a recording was made and is over. */
  public enum Recorded {
    NEVER,
    STOPPED,
    NOW
  }

  @Param public Recorded recorded;

  private Recording recording;
  private long offset;

  @Setup
  public void record() {
    if (recorded == Recorded.NEVER) {
      return; // the recorder is not even loaded
    }
    recording = new Recording();
    recording.enable("blksnap.SlowIo").withThreshold(Duration.ofHours(1));
    recording.start();
    if (recorded == Recorded.STOPPED) {
      recording.close();
    }
  }

  @TearDown
  public void stop() {
    if (recorded == Recorded.NOW) {
      recording.close();
    }
  }

  @Benchmark
  public long nothing() {
    return offset++;
  }

  @Benchmark
  public long quick() {
    SlowIoEvent event = Flight.slowIo();
    long at = offset++;
    if (event != null) {
      event.finish("vm1", "write", at, 4096);
    }
    return at;
  }
}
