package blksnap.sim.oracle;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.param.Parameters;
import blksnap.sim.machine.Faults;
import blksnap.sim.machine.SimMachine;
import blksnap.sim.machine.SimScheduler;
import blksnap.tracker.TrackedDevice;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Requests that a resize comes into. */
class ResizeRaceTest {
  private static final int SIZE = 1 << 16;
  private static final int SEEDS = 150;

  private interface Request {
    void run(TrackedDevice device) throws IOException;
  }

  @Test
  void whoLooksForHolesWhileTheDeviceShrinksIsRefused() throws IOException {
    assertRefused(device -> device.discard(0, SIZE), Errno.ENOSPC);
    assertRefused(device -> device.allocation(0, SIZE, 16), Errno.EINVAL);
  }

  /** The request ends well or is refused, whoever goes on first. */
  private static void assertRefused(Request request, Errno expected) throws IOException {
    int refused = 0;
    for (long seed = 0; seed < SEEDS; seed++) {
      Optional<Throwable> failure = whileShrinking(seed, request);
      if (failure.isPresent()) {
        assertThat(failure.get()).as("seed %d", seed).isInstanceOf(BlkSnapException.class);
        assertThat(((BlkSnapException) failure.get()).errno()).isEqualTo(expected);
        refused++;
      }
    }
    assertThat(refused).isBetween(1, SEEDS - 1);
  }

  private static Optional<Throwable> whileShrinking(long seed, Request request) throws IOException {
    var random = new SplittableRandom(seed);
    var machine = new SimMachine(random.split(), SimMachine.Entries.JOURNAL, Faults.none());
    machine.makeDirectory("/state");
    machine.makeDirectory("/disks");
    machine.makeFile("/disks/vm1", SIZE);
    SimEngine engine = SimEngine.load(machine, new Parameters());
    TrackedDevice device =
        engine
            .trackers
            .attach(machine.path("/disks/vm1"), Optional.of("vm1"), false, false)
            .device();
    device.writeZeroes(0, SIZE, true);
    machine.quiet(false);
    var scheduler = new SimScheduler(random.split());
    List<Throwable> failures = new ArrayList<>();
    int delay = random.nextInt(60);
    scheduler.start(
        "resize",
        () -> {
          try {
            engine.trackers.resize("vm1", OptionalLong.of(SIZE / 2), true);
          } catch (IOException e) {
            throw new IllegalStateException(e);
          }
        });
    scheduler.start(
        "client",
        () -> {
          for (int i = 0; i < delay; i++) {
            SimScheduler.giveWay();
          }
          try {
            request.run(device);
          } catch (IOException | RuntimeException e) {
            failures.add(e);
          }
        });
    scheduler.run();
    machine.quiet(true);
    return failures.stream().findFirst();
  }
}
