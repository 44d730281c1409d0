package blksnap.sim.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.param.Parameter;
import blksnap.param.Parameters;
import blksnap.sim.machine.Faults;
import blksnap.sim.machine.FileClass;
import blksnap.sim.machine.SimMachine;
import blksnap.tracker.TrackedDevice;
import java.io.IOException;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Two resizes, in each of which one call of the state directory fails, and then a kill. */
class ResizeFaultTest {
  private static final long SIZE = 64 << 12;
  private static final long MORE = 80 << 12;
  private static final long MOST = 96 << 12;

  @Test
  void noResizeThatFailsCostsTheGeneration() throws Exception {
    int second = 1;
    for (int first = 1; second > 0; first++) {
      boolean firstFails = true;
      second = 0;
      for (boolean secondFails = true; secondFails && firstFails; ) {
        second++;
        Faults faults = Faults.none();
        SimMachine machine = machine(faults);
        SimEngine engine = SimEngine.load(machine, parameters());
        engine.trackers.attach(machine.path("/disks/vm1"), Optional.of("vm1"), false, false);
        UUID before = generation(engine);

        firstFails = resizeFails(engine, machine, faults, MORE, first);
        secondFails = resizeFails(engine, machine, faults, MOST, second);
        long size = engine.trackers.find("vm1").device().sizeBytes();
        machine.kill();
        SimEngine next = SimEngine.load(machine, parameters());

        String story = "call %d of the first, call %d of the second".formatted(first, second);
        TrackedDevice found = next.trackers.find("vm1").device();
        assertThat(found.sizeBytes()).as(story).isEqualTo(size);
        assertThat(generation(next)).as(story).isEqualTo(before);
      }
      if (!firstFails) {
        second = 0; // it has no such call any more
      }
    }
  }

  private static SimMachine machine(Faults faults) {
    var machine = new SimMachine(new SplittableRandom(1), SimMachine.Entries.JOURNAL, faults);
    machine.makeDirectory("/state");
    machine.makeDirectory("/disks");
    machine.makeFile("/disks/vm1", SIZE);
    return machine;
  }

  private static Parameters parameters() {
    var parameters = new Parameters();
    parameters.set(Parameter.TRACKING_BLOCK_MINIMUM_SHIFT, 12);
    return parameters;
  }

  private static UUID generation(SimEngine engine) throws IOException {
    return engine.trackers.find("vm1").device().readMap(map -> map.generation());
  }

  /** False when it has fewer calls. */
  private static boolean resizeFails(
      SimEngine engine, SimMachine machine, Faults faults, long to, int call) {
    faults.failOne(call, FileClass.STATE);
    machine.quiet(false);
    try {
      engine.trackers.resize("vm1", OptionalLong.of(to), false);
    } catch (IOException e) {
      assertThat(faults.isPending()).isFalse();
    }
    machine.quiet(true);
    boolean failed = !faults.isPending();
    faults.failOne(0, FileClass.STATE);
    return failed;
  }
}
