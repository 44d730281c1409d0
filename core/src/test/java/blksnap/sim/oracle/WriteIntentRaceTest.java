package blksnap.sim.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cbt.CbtGeometry;
import blksnap.cbt.CbtMap;
import blksnap.cbt.WriteIntent;
import blksnap.sector.ByteRange;
import blksnap.sim.machine.Faults;
import blksnap.sim.machine.SimMachine;
import blksnap.sim.machine.SimScheduler;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Writers that open regions of a write-intent record while checkpoints close them. */
class WriteIntentRaceTest {
  private static final int REGIONS = 1;
  private static final int REGION_SHIFT = 20;
  private static final long CAPACITY = (long) REGIONS << REGION_SHIFT;
  private static final int SEEDS = 1_000;

  private interface Step {
    void run() throws IOException;
  }

  @Test
  void whatAWriterTakesForOpenIsOpenAfterAPowerLoss() throws IOException {
    for (long seed = 0; seed < SEEDS; seed++) {
      var random = new SplittableRandom(seed);
      var machine = new SimMachine(random.split(), SimMachine.Entries.JOURNAL, Faults.none());
      machine.makeDirectory("/state");
      Path file = machine.path("/state/intent");
      CbtMap map = CbtMap.create(machine.path("/state/cbt"), CbtGeometry.of(CAPACITY, 16, 1 << 20));
      WriteIntent intent = WriteIntent.create(file, CAPACITY, REGION_SHIFT, machine.clock());
      machine.quiet(false);

      var scheduler = new SimScheduler(random.split());
      for (int writer = 0; writer < 3; writer++) {
        repeat(scheduler, "writer" + writer, 1, () -> openOne(intent, random));
      }
      repeat(
          scheduler,
          "checkpoints",
          4,
          () -> {
            intent.flushEnds(intent.flushBegins(), true);
            boolean _ = intent.checkpoint(map);
          });
      scheduler.run();

      machine.quiet(true);
      List<ByteRange> open = intent.openRanges();
      machine.sync("/state"); // the names of both, which are not what this is about
      machine.cut();
      assertThat(WriteIntent.open(file, machine.clock()).openRanges())
          .as("seed %d", seed)
          .containsAll(open);
    }
  }

  private static void openOne(WriteIntent intent, SplittableRandom random) throws IOException {
    intent.open((long) random.nextInt(REGIONS) << REGION_SHIFT, 4096);
  }

  private static void repeat(SimScheduler scheduler, String thread, int times, Step step) {
    scheduler.start(
        thread,
        () -> {
          try {
            for (int i = 0; i < times; i++) {
              step.run();
              SimScheduler.giveWay();
            }
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }
}
