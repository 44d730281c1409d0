package blksnap.sim.oracle;

import blksnap.cbt.CbtMap;
import blksnap.sim.machine.SimScheduler;
import blksnap.snapshot.Durability;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotPart;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Pattern;
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

  private static final Pattern UUIDS = Pattern.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}");

  private final Scene scene;
  private final Checks checks;
  private @Nullable Throwable failure;
  private long choices = 1;

  /**
   * Whether the next engine must come up: a block device was changed after a kill, and the counter
   * that tells of it does not outlive the machine.
   */
  private boolean mustLoad;

  /**
   * Syncs of disks that had failed when the load began that calls fail in; empty: none is going on.
   */
  private OptionalLong foulLoad = OptionalLong.empty();

  /** Whether the engine of this life has closed everything in order. */
  private boolean closed;

  public SimRun(long seed) {
    this.scene = new Scene(seed);
    this.checks = new Checks(scene);
  }

  /**
   * Of every call of the machine, every choice of who goes on, and what happened; equal for two
   * runs of one seed. Only the names that the engine makes up itself are left out.
   */
  public long digest() {
    String told = UUIDS.matcher(scene.story()).replaceAll("");
    return (scene.machine.trace() * 31 + choices) * 31 + told.hashCode();
  }

  /** What happened, a line each. */
  public String story() {
    return scene.story();
  }

  /** What the engine told that was loaded last. */
  public String log() {
    return scene.engine == null ? "" : scene.log();
  }

  /** Runs it. */
  public void run() {
    scene.tell(scene.weather + " weather");
    int lives = 2 + scene.random.nextInt(4);
    for (int life = 0; life < lives; life++) {
      live(life == 0, life == lives - 1);
    }
  }

  private void live(boolean first, boolean last) {
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
      long steps = scene.random.nextLong(1L << (8 + scene.random.nextInt(9)));
      scheduler.stopAfter(mustLoad ? Long.MAX_VALUE : steps);
    }
    scene.machine.onCall(() -> {
      boolean mayStop = scene.engine != null || !mustLoad;
      if (scene.machine.calls() >= stopAt && mayStop && !scheduler.isStopped()) {
        scene.tell("stopped in a call of " + Thread.currentThread().getName());
        scheduler.stop();
      }
      if (scheduler.isStopped()) {
        SimScheduler.giveWay(); // and never goes on
      }
    });
    scene.engine = null;
    scene.scheduler = scheduler;
    scene.waiting = 0;
    scene.working = 0;
    closed = false;
    start(
        scheduler,
        "engine",
        () -> {
          scene.machine.quiet(false);
          if (scene.weather == Weather.FOUL && !mustLoad && scene.random.nextInt(3) == 0) {
            loadInFoulWeather();
          }
          scene.faults.pause(true);
          SimEngine loaded = SimEngine.load(scene.machine, scene.parameters, scene::awaitRoom);
          for (DiskModel disk : scene.disks.values()) {
            if (loaded.trackers.lookup(disk.name).isEmpty()) {
              loaded.trackers.attach(
                  scene.machine.path(Scene.path(disk.name)), Optional.of(disk.name), false, false);
            }
          }
          scene.machine.quiet(true);
          scene.engine = loaded;
          if (first && scene.random.nextInt(5) == 0) {
            for (DiskModel disk : scene.disks.values()) {
              scene.age(disk, CbtMap.MAX_NUMBER - 1 - scene.random.nextInt(6));
            }
          }
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

  /** Calls fail while an engine finds what is there; it is killed before anybody uses it. */
  private void loadInFoulWeather() {
    for (DiskModel disk : scene.disks.values()) {
      if (!disk.restart.isEmpty()) { // else a sync of ours that fails may lose what is not ours
        scene.machine.sync(Scene.path(disk.name));
      }
    }
    long before = scene.faults.injected();
    long onDisk = scene.faults.onDisk();
    long syncs = scene.faults.syncsOfDisk();
    foulLoad = OptionalLong.of(syncs);
    scene.faults.pause(false);
    try {
      var _ = SimEngine.load(scene.machine, scene.parameters, scene::awaitRoom);
    } catch (IOException e) {
      scene.tell("load failed: " + e.getMessage());
    }
    if (scene.faults.injected() > before) {
      scene.tell("loaded while calls failed, and killed");
      scene.snapshots.values().forEach(snapshot -> snapshot.mayBreak = true);
    }
    boolean elsewhere = scene.faults.injected() - before > scene.faults.onDisk() - onDisk;
    if (scene.faults.syncsOfDisk() > syncs && elsewhere) { // which may have kept it from its note
      scene.disks.values().forEach(DiskModel::doubtForGood);
    }
    foulLoad = OptionalLong.empty();
    scene.machine.kill();
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
    choices = choices * 31 + scheduler.trace();
    if (failure != null) {
      throw new Violation(String.valueOf(failure.getMessage()), failure);
    }
  }

  /** A thread that may come to wait for room. */
  private void worker(SimScheduler scheduler, String name, int most, Body body) {
    scene.working++;
    start(
        scheduler,
        name,
        () -> {
          int count = scene.random.nextInt(most);
          for (int n = 0; n < count; n++) {
            body.run();
          }
          scene.working--;
        });
  }

  private void startClients(SimScheduler scheduler) {
    for (int i = 0; i < Writer.WRITERS; i++) {
      var client = new Writer(scene, i);
      worker(scheduler, "writer" + i, 30, client::change);
    }
    var operator = new Operator(scene);
    for (int i = 0; i < 2; i++) {
      worker(scheduler, "operator" + i, 10, operator::operate);
    }
    start(scheduler, "keeper", () -> new Keeper(scene, operator).keep());
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
    List<DiskModel> attached =
        scene.disks.values().stream()
            .filter(disk -> scene.engine().trackers.lookup(disk.name).isPresent())
            .toList();
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
    attached.forEach(disk -> disk.flushed(start, scene.faults.syncsOfDisk()));
    closed = true;
  }

  /** The engine is gone, one way or the other. */
  private void over(End end) {
    boolean cut = end == End.CUT || end == End.UNLOAD_AND_CUT;
    scene.tell("end of a life: " + end);
    mustLoad = false;
    if (foulLoad.isPresent() && scene.faults.syncsOfDisk() > foulLoad.getAsLong()) {
      scene.disks.values().forEach(DiskModel::doubtForGood); // killed before it could note that
    }
    foulLoad = OptionalLong.empty();
    scene.takes.forEach(take -> {
      if (take.isUnderWay()) {
        take.end(scene.clock);
      }
    });
    for (DiskModel disk : scene.disks.values()) {
      disk.marksLost |= marksAtRisk(disk);
      disk.halfResized |= disk.isResizing();
      if (disk.halfResized && cut && !scene.machine.renamesAreWhole()) {
        // Both names of its map may be gone, and nothing tells then whether others wrote.
        disk.restart = "its size was being changed";
        mayBreak(disk);
      } else if (disk.isShrinking()) {
        disk.restart = "its size was being changed";
      }
    }
    if (cut) {
      scene.takes.forEach(take -> take.wasCut = true);
      scene.snapshots.values().forEach(snapshot -> snapshot.forgotten |= isForgotten(snapshot));
      scene.machine.cut();
    } else {
      scene.machine.kill();
    }
    for (DiskModel disk : scene.disks.values()) {
      long[] found = scene.raw(disk, 0, scene.rawSectors(disk));
      if (cut) {
        disk.cut(found);
      } else {
        disk.killed(found);
      }
      if (scene.random.nextInt(8) == 0) {
        new Others(scene).change(disk, closed);
        mustLoad |= !closed && scene.machine.isDisk(Scene.path(disk.name));
        mayBreak(disk);
      }
    }
    for (SnapshotModel snapshot : scene.snapshots.values()) {
      snapshot.busy = false;
      if (cut && snapshot.durability != Durability.POWER) {
        snapshot.mayBreak = true;
      }
    }
  }

  /** Whether the engine says that a power loss would take marks, as a failing disk makes it. */
  private boolean marksAtRisk(DiskModel disk) {
    SimEngine engine = scene.engine;
    return engine != null
        && engine.trackers.lookup(disk.name).filter(d -> d.device().marksAtRisk()).isPresent();
  }

  /** Whether the engine says that a restart may not know of the end of an image. */
  private boolean isForgotten(SnapshotModel model) {
    Snapshot snapshot = scene.engine == null ? null : scene.lookup(model);
    return snapshot != null
        && model.devices.stream()
            .flatMap(device -> snapshot.part(device).stream())
            .anyMatch(
                part -> part instanceof SnapshotPart.Taken taken && !taken.area().isRemembered());
  }

  /** Its content may be another one: images that need it may be EIO. */
  private void mayBreak(DiskModel disk) {
    for (SnapshotModel snapshot : scene.snapshots.values()) {
      snapshot.mayBreak |= snapshot.images.containsKey(disk.name);
    }
  }
}
