package blksnap.sim.oracle;

import blksnap.sim.machine.SimScheduler;
import blksnap.snapshot.Durability;
import java.io.IOException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One run of one seed: several engines, one after the other, on one simulated machine, each ended
 * by a kill, a power cut or an unload; clients that use them; and the oracle that looks at all of
 * it.
 */
public final class SimRun {
  private enum End {
    KILL,
    CUT,
    UNLOAD,
    UNLOAD_AND_CUT
  }

  private final Scene scene;
  private final Checks checks;
  private @Nullable Throwable failure;

  public SimRun(long seed) {
    this.scene = new Scene(seed);
    this.checks = new Checks(scene);
  }

  /** Equal for two runs of one seed. */
  public long trace() {
    return scene.machine.trace();
  }

  /** What happened, a line each. */
  public String story() {
    return scene.story();
  }

  /** Runs it. */
  public void run() {
    scene.tell(scene.weather + " weather");
    int lives = 2 + scene.random.nextInt(4);
    for (int life = 0; life < lives; life++) {
      live(life == lives - 1);
    }
  }

  private void live(boolean last) {
    End end =
        End.values()[
            scene.random.nextInt(10) < 8 ? scene.random.nextInt(2) : 2 + scene.random.nextInt(2)];
    var scheduler = new SimScheduler(scene.random.split());
    boolean early = !last && scene.random.nextInt(4) != 0 && (end == End.KILL || end == End.CUT);
    boolean inACall = early && scene.random.nextBoolean();
    long stopAt =
        inACall
            ? scene.machine.calls() + (1L << scene.random.nextInt(11)) + scene.random.nextInt(50)
            : Long.MAX_VALUE;
    if (early && !inACall) {
      scheduler.stopAfter(scene.random.nextLong(1L << (8 + scene.random.nextInt(9))));
    }
    scene.machine.onCall(() -> {
      if (scene.machine.calls() >= stopAt && !scheduler.isStopped()) {
        scene.tell("stopped in a call of " + Thread.currentThread().getName());
        scheduler.stop();
      }
      if (scheduler.isStopped()) {
        SimScheduler.giveWay(); // and never goes on
      }
    });
    scene.engine = null;
    start(
        scheduler,
        "engine",
        () -> {
          scene.machine.quiet(false);
          scene.faults.pause(true);
          SimEngine loaded = SimEngine.load(scene.machine, scene.parameters);
          for (DiskModel disk : scene.disks.values()) {
            if (loaded.trackers.lookup(disk.name).isEmpty()) {
              loaded.trackers.attach(
                  scene.machine.path("/disks/" + disk.name + ".img"),
                  Optional.of(disk.name),
                  false,
                  false);
            }
          }
          scene.machine.quiet(true);
          scene.engine = loaded;
          checks.found();
          checks.all();
          scene.machine.quiet(false);
          scene.faults.pause(false);
          startClients(scheduler);
        });
    runOut(scheduler);
    if (!scheduler.isStopped() || scheduler.living() == 0) {
      scene.machine.onCall(() -> {});
      var afterwards = new SimScheduler(scene.random.split());
      boolean unload = end == End.UNLOAD || end == End.UNLOAD_AND_CUT;
      start(
          afterwards,
          "end",
          () -> {
            scene.machine.quiet(true);
            scene.faults.pause(true);
            checks.all();
            if (unload) {
              unload();
            }
          });
      runOut(afterwards);
    }
    scene.machine.quiet(true);
    over(end);
  }

  private interface Body {
    void run() throws IOException;
  }

  private void start(SimScheduler scheduler, String name, Body body) {
    scheduler.start(
        name,
        () -> {
          try {
            body.run();
          } catch (IOException | RuntimeException | Error e) {
            if (failure == null) {
              failure = e;
            }
            scheduler.stop();
          }
        });
  }

  private void runOut(SimScheduler scheduler) {
    scheduler.run();
    if (failure != null) {
      throw new Violation(String.valueOf(failure.getMessage()), failure);
    }
  }

  private void startClients(SimScheduler scheduler) {
    for (int i = 0; i < Writer.WRITERS; i++) {
      var client = new Writer(scene, i);
      start(
          scheduler,
          "writer" + i,
          () -> {
            int count = scene.random.nextInt(30);
            for (int n = 0; n < count; n++) {
              client.change();
            }
          });
    }
    var operator = new Operator(scene);
    for (int i = 0; i < 2; i++) {
      start(
          scheduler,
          "operator" + i,
          () -> {
            int count = scene.random.nextInt(10);
            for (int n = 0; n < count; n++) {
              operator.operate();
            }
          });
    }
    var viewer = new Viewer(scene);
    start(
        scheduler,
        "viewer",
        () -> {
          int count = scene.random.nextInt(20);
          for (int n = 0; n < count; n++) {
            viewer.view();
          }
        });
    start(
        scheduler,
        "checkpoints",
        () -> {
          int count = scene.random.nextInt(12);
          for (int n = 0; n < count; n++) {
            for (int i = scene.random.nextInt(20); i > 0; i--) {
              SimScheduler.giveWay();
            }
            scene.engine().trackers.checkpoint();
          }
        });
  }

  private void unload() throws IOException {
    boolean destroy = scene.random.nextBoolean();
    long start = scene.clock.tick();
    scene.tell("unload" + (destroy ? ", snapshots are released" : ""));
    try {
      scene.engine().unload(destroy);
    } catch (IOException e) {
      if (scene.faults.injected() == 0) {
        throw e;
      }
      scene.tell("unload failed: " + e.getMessage());
      return;
    }
    if (destroy) {
      if (scene.faults.injected() == 0) {
        scene.snapshots.clear();
      } else {
        scene.snapshots.values().forEach(s -> s.state = SnapshotModel.State.DESTROYING);
      }
    }
    scene.disks.values().forEach(disk -> disk.flushed(start, scene.faults.syncsOfDisk() > 0));
  }

  /** The engine is gone, one way or the other. */
  private void over(End end) {
    boolean cut = end == End.CUT || end == End.UNLOAD_AND_CUT;
    scene.tell("end of a life: " + end);
    scene.takes.forEach(take -> {
      if (take.isUnderWay()) {
        take.end(scene.clock);
      }
    });
    if (cut) {
      // A state directory that fails to sync is told of, and a power loss may then take marks.
      scene.marksLost |= scene.faults.syncsOfState() > 0;
      scene.machine.cut();
    } else {
      scene.machine.kill();
    }
    for (DiskModel disk : scene.disks.values()) {
      long[] found = scene.raw(disk, 0, disk.sectors);
      if (cut) {
        disk.cut(found);
      } else {
        disk.killed(found);
      }
    }
    for (SnapshotModel snapshot : scene.snapshots.values()) {
      snapshot.busy = false;
      if (cut && snapshot.durability != Durability.POWER) {
        snapshot.mayBreak = true;
      }
    }
  }
}
