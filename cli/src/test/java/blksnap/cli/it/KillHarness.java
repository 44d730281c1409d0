package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.CommandRun;
import blksnap.testing.Seeds;
import blksnap.testing.Stamps;
import java.io.Closeable;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;

/**
 * Rounds of a daemon's life: clients write to two devices and to images, snapshots come and go, the
 * daemon is killed, perhaps again while it recovers, and started; then everything that it ever
 * acknowledged is asked for.
 */
final class KillHarness implements Closeable {
  /** What was going on when the daemon was killed. */
  enum Instant {
    WRITES,
    CREATE,
    TAKE,
    DESTROY,
    ATTACH,
    DETACH,
    UNLOAD
  }

  private static final int BLOCKS = 2048; // of one device
  private static final int ROUNDS_BETWEEN_NEWS = 20;
  private static final int MOST_HELD = 5;
  private static final int MOST_IMAGE_BLOCK = 200; // image writes go below it, so that they meet
  private static final long IMAGE_STAMPS = 0x7fL << 56;
  private static final long[] RECOVERY_KILLS_MILLIS = {150, 400, 900};
  private static final System.Logger LOG = System.getLogger(KillHarness.class.getName());
  private static final String[] PARAMETERS = {
    "tracking_block_minimum_shift=12", "chunk_minimum_shift=14", "diff_storage_minimum=2048"
  };

  private final Lab lab;
  private final Path storage;
  private final Seeds seeds;
  private final Random random;
  private final List<StampedDisk> disks;
  private final Path spare;
  private final KillAudit audit;
  private final List<HeldSnapshot> held = new ArrayList<>();
  private final Map<Instant, Integer> kills = new EnumMap<>(Instant.class);
  private final List<Background> engines = new ArrayList<>();

  /** The test means to end the daemon: from here on anything may be refused. */
  private final AtomicBoolean ending = new AtomicBoolean();

  private int round;
  private int names;
  private int recoveryKills;
  private long acknowledged;
  private long imageStamps;
  private boolean spareAttached;
  private boolean spareUnsure;

  /**
   * @param paths of the two devices: what is behind them
   */
  KillHarness(Lab lab, Seeds seeds, List<Path> paths) throws IOException, InterruptedException {
    this.lab = lab;
    this.seeds = seeds;
    this.random = seeds.random();
    this.storage = Files.createDirectory(lab.path("storage"));
    this.spare = lab.sparse("spare.img", 1 << 20);
    this.disks = List.of(new StampedDisk("vm1", 1, BLOCKS), new StampedDisk("vm2", 2, BLOCKS));
    lab.load(PARAMETERS);
    for (int i = 0; i < disks.size(); i++) {
      lab.ok("attach", paths.get(i).toString(), "--name", disks.get(i).name());
    }
    this.audit = new KillAudit(lab, storage, disks);
  }

  /** Bytes of each of the two devices. */
  static long sizeBytes() {
    return (long) BLOCKS * Stamps.BLOCK;
  }

  /** What was done so far, for the log of the test. */
  String summary() {
    return "%d rounds, killed during %s and %d times during recovery, %d blocks acknowledged, %s"
        .formatted(round, kills, recoveryKills, acknowledged, seeds);
  }

  void run(int rounds) throws Exception {
    for (round = 0; round < rounds; ) {
      Instant instant = Instant.values()[random.nextInt(Instant.values().length)];
      String which = "round " + round + ", killed during " + instant + ", " + seeds;
      try {
        live(instant);
        long killed = System.nanoTime();
        killWhileItRecovers();
        load();
        verify(which, instant, killed);
      } catch (AssertionError | Exception e) {
        String said = lab.command("dmesg").out();
        throw new AssertionError(
            "in %s: %s%n%nThe daemon said:%n%s".formatted(which, e.getMessage(), said), e);
      }
      kills.merge(instant, 1, Integer::sum);
      round++;
      if (round % ROUNDS_BETWEEN_NEWS == 0) {
        LOG.log(Level.INFO, summary());
      }
    }
    for (HeldSnapshot snapshot : held) {
      lab.ok("snapshot", "destroy", snapshot.name);
    }
    held.clear();
    audit.files(held, "the end, " + seeds);
    assertThat(storage).as("%s", seeds).isEmptyDirectory();
  }

  /** Everything at once until the daemon is dead. */
  private void live(Instant instant) throws Exception {
    ProcessHandle daemon = lab.daemon();
    ending.set(false);
    try (var writers = new StampWriters(lab, disks, seeds, round, ending)) {
      Optional<HeldSnapshot> used =
          held.stream().filter(s -> s.isKnown() && random.nextBoolean()).findAny();
      var imageClient = new FutureTask<Void>(() -> useImage(used));
      Thread.ofPlatform().name("image-client").start(imageClient);
      try {
        for (int steps = random.nextInt(4); steps >= 0; steps--) {
          someChange(used);
        }
        if (random.nextInt(8) == 0) {
          Lab.pause(5_500); // a checkpoint comes by
        }
        killDuring(daemon, instant, used);
      } finally {
        ending.set(true);
        daemon.destroyForcibly();
        daemon.onExit().join();
      }
      acknowledged += writers.await();
      imageClient.get();
    } catch (ExecutionException e) {
      throw new AssertionError("the client of an image failed", e);
    }
  }

  /** One command that is to come to its end. */
  private void someChange(Optional<HeldSnapshot> used) throws IOException {
    if (held.size() >= MOST_HELD || (held.size() > 2 && random.nextInt(3) == 0)) {
      destroy(victim(used));
    } else {
      HeldSnapshot created = create();
      if (random.nextInt(6) != 0) {
        take(created);
      }
    }
    Lab.pause(random.nextInt(60)); // for writers to change something
  }

  private HeldSnapshot victim(Optional<HeldSnapshot> used) {
    List<HeldSnapshot> choices = held.stream().filter(s -> used.orElse(null) != s).toList();
    return choices.get(random.nextInt(choices.size()));
  }

  private HeldSnapshot create() {
    int kind = random.nextInt(8);
    String durability = kind == 0 ? "none" : kind < 3 ? "power" : "process";
    List<StampedDisk> some = random.nextInt(3) == 0 ? List.of(disks.get(random.nextInt(2))) : disks;
    var snapshot = new HeldSnapshot("s" + names++, durability, some);
    held.add(snapshot);
    var words = new ArrayList<>(List.of("snapshot", "create"));
    some.forEach(disk -> words.add(disk.name()));
    words.addAll(List.of("--storage", storage.toString(), "--name", snapshot.name));
    words.addAll(List.of("--durability", durability));
    if (command(words.toArray(String[]::new))) {
      snapshot.underWay = HeldSnapshot.UnderWay.NOTHING;
    }
    return snapshot;
  }

  private void take(HeldSnapshot snapshot) throws IOException {
    snapshot.underWay = HeldSnapshot.UnderWay.TAKE;
    audit.takeSent(snapshot.disks);
    snapshot.takeSent = System.nanoTime();
    if (command("snapshot", "take", snapshot.name)) {
      snapshot.takeAnswered = System.nanoTime();
      snapshot.taken = true;
      snapshot.underWay = HeldSnapshot.UnderWay.NOTHING;
      if (!ending.get()) {
        audit.numbersNow(ending);
      }
    }
  }

  private void destroy(HeldSnapshot snapshot) {
    snapshot.underWay = HeldSnapshot.UnderWay.DESTROY;
    if (command("snapshot", "destroy", snapshot.name)) {
      held.remove(snapshot);
    }
  }

  /** Whether it was answered with success; the only excuse is that the daemon is being killed. */
  private boolean command(String... words) {
    CommandRun run = lab.command(words);
    if (run.code() != 0 && !ending.get()) {
      throw new AssertionError(List.of(words) + " failed: " + run.err());
    }
    return run.code() == 0;
  }

  /** Starts what is to be cut off, and kills the daemon a moment later. */
  private void killDuring(ProcessHandle daemon, Instant instant, Optional<HeldSnapshot> used)
      throws Exception {
    long delayNanos = 1_000L * random.nextInt(instant == Instant.WRITES ? 200_000 : 25_000);
    HeldSnapshot fresh = instant == Instant.TAKE ? create() : null;
    var killer =
        new FutureTask<Void>(() -> {
          long deadline = System.nanoTime() + delayNanos;
          while (System.nanoTime() < deadline) {
            LockSupport.parkNanos(deadline - System.nanoTime());
          }
          ending.set(true);
          daemon.destroyForcibly();
          return null;
        });
    if (instant == Instant.UNLOAD) {
      ending.set(true); // it cuts clients off by itself
    }
    Thread.ofPlatform().name("killer").start(killer);
    switch (instant) {
      case WRITES -> {}
      case CREATE -> create();
      case TAKE -> take(Optional.ofNullable(fresh).orElseThrow());
      case DESTROY -> {
        if (held.size() > used.stream().count()) {
          destroy(victim(used));
        }
      }
      case ATTACH, DETACH -> attachOrDetachTheSpare();
      case UNLOAD -> {
        held.forEach(snapshot -> snapshot.underWay = HeldSnapshot.UnderWay.DESTROY);
        command("unload", "--force");
      }
    }
    killer.get();
  }

  private void attachOrDetachTheSpare() {
    boolean attach = !spareAttached;
    spareUnsure = true;
    if (attach
        ? command("attach", spare.toString(), "--name", "spare")
        : command("detach", "spare")) {
      spareAttached = attach;
      spareUnsure = false;
    }
  }

  /** Reads and writes one image, and looks at maps, until the daemon is gone. */
  private Void useImage(Optional<HeldSnapshot> used) throws IOException {
    Random choices = seeds.random(round << 8 | 255);
    if (used.isEmpty()) {
      return null;
    }
    HeldSnapshot snapshot = used.get();
    StampedDisk disk = snapshot.disks.get(choices.nextInt(snapshot.disks.size()));
    try (NbdSession session = NbdSession.open(lab.nbdSocket(), snapshot.image(disk))) {
      while (true) {
        if (choices.nextInt(3) == 0) {
          int block = choices.nextInt(MOST_IMAGE_BLOCK);
          long stamp = IMAGE_STAMPS | ++imageStamps;
          long sent = System.nanoTime();
          disk.imageSent(block, sent);
          snapshot.imageSent(disk, block, stamp);
          session.write((long) block * Lab.BLOCK, Stamps.content(stamp, Lab.BLOCK));
          snapshot.imageAnswered(disk, block);
          disk.imageAnswered(block, sent);
        } else {
          int block = choices.nextInt(BLOCKS);
          byte[] content = session.read((long) block * Lab.BLOCK, Lab.BLOCK);
          long shown = Stamps.read(ByteBuffer.wrap(content), snapshot.image(disk))[0];
          if (!snapshot.wasWritten(disk, block)) {
            assertThat(shown)
                .as("block %d of %s, %s", block, snapshot.image(disk), seeds)
                .isEqualTo(snapshot.shown(disk)[block]);
          }
        }
      }
    } catch (IOException e) {
      if (!ending.get()) {
        throw e;
      }
    }
    return null;
  }

  /** Kills the next daemons on their way, at most a few. */
  private void killWhileItRecovers() throws Exception {
    while (random.nextInt(3) == 0) {
      Files.deleteIfExists(lab.run().resolve("lock"));
      var words = new ArrayList<>(List.of("--foreground"));
      words.addAll(List.of(PARAMETERS));
      try (Background engine = lab.launch(words.toArray(String[]::new))) {
        // The lock is taken when Java is up and the engine begins.
        Lab.until(
            "the engine begins",
            () -> Files.exists(lab.run().resolve("lock")) || !engine.isAlive());
        assertThat(engine.isAlive()).as("%s: %s", seeds, engine.output()).isTrue();
        long most = RECOVERY_KILLS_MILLIS[random.nextInt(RECOVERY_KILLS_MILLIS.length)];
        LockSupport.parkNanos(random.nextLong(most * 1_000_000));
      }
      recoveryKills++;
    }
  }

  private void load() throws IOException, InterruptedException {
    if (random.nextInt(4) == 0) {
      lab.load(PARAMETERS);
    } else {
      engines.add(lab.loadInForeground(PARAMETERS));
    }
  }

  private void verify(String which, Instant instant, long killed) throws IOException {
    verifyDevices(which);
    audit.numbersAfter(instant == Instant.UNLOAD, which);
    verifySnapshots(which, killed);
    Map<StampedDisk, long[]> contents = new HashMap<>();
    for (StampedDisk disk : disks) {
      long[] shown = stamps(disk.name(), which);
      disk.settle(shown, killed, which);
      contents.put(disk, shown);
    }
    for (HeldSnapshot snapshot : held) {
      if (snapshot.taken) {
        Map<StampedDisk, long[]> images = new HashMap<>();
        for (StampedDisk disk : snapshot.disks) {
          images.put(disk, stamps(snapshot.image(disk), which));
        }
        snapshot.check(images, which);
        for (StampedDisk disk : snapshot.disks) {
          assertThat(lab.number("/sys/block/" + snapshot.image(disk) + "/errno"))
              .as(which)
              .isZero();
          audit.map(snapshot, disk, KillAudit.known(contents.get(disk)), which);
        }
      }
    }
    for (StampedDisk disk : disks) {
      verifyFrozenMaps(disk, which);
    }
    audit.files(held, which);
    audit.storage(held, which);
    disks.forEach(StampedDisk::forgetHistory);
  }

  /** Of each snapshot since the one before, where it is certain which one that is. */
  private void verifyFrozenMaps(StampedDisk disk, String which) {
    List<HeldSnapshot> taken =
        held.stream()
            .filter(snapshot -> snapshot.taken && snapshot.disks.contains(disk))
            .sorted(Comparator.comparingLong(snapshot -> snapshot.takeSent))
            .toList();
    for (int i = 1; i < taken.size(); i++) {
      if (taken.get(i - 1).takeAnswered < taken.get(i).takeSent) {
        audit.frozenMap(taken.get(i - 1), taken.get(i), disk, which);
      }
    }
  }

  private long[] stamps(String export, String which) throws IOException {
    return Stamps.read(ByteBuffer.wrap(lab.content(export)), export + ", " + which);
  }

  private void verifyDevices(String which) {
    List<String> there =
        lab.ok("devices", "-o", "plain")
            .lines()
            .map(line -> line.substring(0, line.indexOf('\t')))
            .toList();
    if (spareUnsure) {
      spareAttached = there.contains("spare");
      spareUnsure = false;
    }
    assertThat(there)
        .as(which)
        .isEqualTo(spareAttached ? List.of("spare", "vm1", "vm2") : List.of("vm1", "vm2"));
  }

  /** What was cut off is done or undone; what was answered stands. */
  private void verifySnapshots(String which, long killed) {
    for (HeldSnapshot snapshot : List.copyOf(held)) {
      String what = snapshot.name + " " + snapshot.durability + " " + snapshot.underWay;
      CommandRun run = lab.command("cat", "/sys/fs/blksnap/" + snapshot.name + "/state");
      HeldSnapshot.UnderWay was = snapshot.underWay;
      snapshot.underWay = HeldSnapshot.UnderWay.NOTHING;
      if (run.code() != 0) {
        boolean mayBeGone =
            was == HeldSnapshot.UnderWay.CREATE
                || was == HeldSnapshot.UnderWay.DESTROY
                || snapshot.isVolatile();
        assertThat(mayBeGone).as("%s is gone: %s, %s", what, run.err(), which).isTrue();
        assertThat(!snapshot.isVolatile() || snapshot.taken || was != HeldSnapshot.UnderWay.NOTHING)
            .as("%s was created and is gone, %s", what, which)
            .isTrue();
        held.remove(snapshot);
        continue;
      }
      String state = run.out().strip();
      if (snapshot.taken) {
        assertThat(state).as("%s, %s", what, which).isEqualTo("taken");
        assertThat(snapshot.isVolatile()).as("%s is still there, %s", what, which).isFalse();
      } else if (was == HeldSnapshot.UnderWay.TAKE && state.equals("taken")) {
        snapshot.taken = true;
        snapshot.takeAnswered = killed;
      } else {
        assertThat(state).as("%s, %s", what, which).isEqualTo("created");
      }
    }
  }

  @Override
  public void close() {
    engines.forEach(Background::close);
  }
}
