package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cli.CommandRun;
import blksnap.testing.Commands;
import blksnap.testing.LoopDevice;
import blksnap.testing.Seeds;
import blksnap.testing.Stamps;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/**
 * Power is cut. A daemon works on recorded disks: on one there is a file system with its state, its
 * diff storage and a tracked file, the other one is tracked itself. Then, for many moments, the
 * disks are put together as a cut at that moment might have left them, and a daemon of another boot
 * is started over them.
 */
@Timeout(400)
final class PowerCutIT {
  private static final int CUTS = 8;
  private static final int LONG_CUTS = 200;
  private static final int CUTS_OF_A_RECORDING = 20;
  private static final int MIB = 1 << 20;
  private static final int REGIONS = 4;
  private static final int LANES = 2;
  private static final int LANE_BLOCKS = TickedDisk.REGION_BLOCKS / LANES;
  private static final int MOST_BLOCKS = 4;
  private static final long INTENT_BITS = 4096; // where they begin in the file
  private static final System.Logger LOG = System.getLogger(PowerCutIT.class.getName());

  /** When something was asked for and answered. */
  private record Span(long sent, long answered) {
    static final Span NEVER = new Span(Stamps.NEVER, Stamps.NEVER);
  }

  /** One snapshot of both disks, and what its images showed. */
  private static final class Held {
    final String name;
    final String durability;
    Span take = Span.NEVER;
    Span destroy = Span.NEVER;
    final Map<TickedDisk, long[]> images = new HashMap<>();

    Held(String name, String durability) {
      this.name = name;
      this.durability = durability;
    }
  }

  /** Stays when a test fails: what is in it does not come back. */
  @TempDir(cleanup = CleanupMode.ON_SUCCESS)
  private Path directory;

  private final Seeds seeds = Seeds.ofRun();
  private final AtomicLong clock = new AtomicLong();
  private final AtomicBoolean stop = new AtomicBoolean();
  private final List<Held> snapshots = new ArrayList<>();
  private List<TickedDisk> disks = List.of();
  private Map<String, String> generations = Map.of();
  private long attached;
  private long rested;
  private long ended;
  private int loose;
  private int intact;
  private int broken;
  private long overReported;

  @Test
  void nothingThatWasPromisedIsLostWhenPowerIsCutAtAnyMoment() throws Exception {
    endure(CUTS);
  }

  @Test
  @Tag("long")
  @Timeout(value = 2, unit = TimeUnit.HOURS)
  void nothingThatWasPromisedIsLostInTwoHundredCuts() throws Exception {
    endure(Integer.getInteger("blksnap.power.cuts", LONG_CUTS));
  }

  private void endure(int cuts) throws Exception {
    NbdMount.require();
    Lab.need("mkfs.ext4", "mount", "umount", "unshare", "cp", "sync");
    int done = 0;
    try {
      for (int recording = 0; done < cuts; recording++) {
        Path home = Files.createDirectory(directory.resolve("recording-" + recording));
        Random random = seeds.random(recording);
        try (var fileSystem = new RecordedDisk(clock, newFileSystem(home));
            var second = new RecordedDisk(clock, newDisk(home))) {
          record(home, fileSystem, second, random);
          for (int i = 0; i < CUTS_OF_A_RECORDING && done < cuts; i++) {
            cut(home, i, fileSystem, second, random);
            done++;
          }
        }
        Commands.run("rm", "-r", "--one-file-system", home.toString());
      }
    } finally {
      LOG.log(
          Level.INFO,
          ("%d cuts, %d changes at their mercy, %d images intact, %d EIO for their durability,"
                  + " %d blocks reported beyond what was written, %s")
              .formatted(done, loose, intact, broken, overReported, seeds));
    }
  }

  private static long diskBytes() {
    return (long) REGIONS * TickedDisk.REGION_BLOCKS * Stamps.BLOCK;
  }

  private static Path sparse(Path file, long bytes) throws IOException {
    Commands.run("truncate", "--size=" + bytes, file.toString());
    return file;
  }

  private static Path newDisk(Path home) throws IOException {
    return sparse(home.resolve("second.img"), diskBytes());
  }

  private static Path newFileSystem(Path home) throws IOException {
    Path image = sparse(home.resolve("files.img"), 256L * MIB);
    Commands.run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0", image.toString());
    try (LoopDevice loop = LoopDevice.attach(image, 512);
        Mounted mounted = Mounted.mount(loop.path(), home.resolve(PowerScene.FILES))) {
      Files.createDirectory(mounted.at().resolve("storage"));
      sparse(mounted.at().resolve("first.img"), diskBytes());
    }
    return image;
  }

  // The recording.

  private void record(Path home, RecordedDisk fileSystem, RecordedDisk second, Random random)
      throws Exception {
    snapshots.clear();
    disks =
        List.of(
            new TickedDisk("first", 1, REGIONS, clock),
            new TickedDisk("second", 2, REGIONS, clock));
    var helper = new Lab(Files.createDirectory(home.resolve("record")));
    Path sockets =
        Files.createDirectory(
            home.resolve("sockets"),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    try (var server =
            new DiskServer(sockets.resolve("nbd"), Map.of("files", fileSystem, "second", second));
        NbdMount files =
            NbdMount.attachUri(helper, server.uri("files"), home.resolve("fuse-files"), false);
        NbdMount raw =
            NbdMount.attachUri(helper, server.uri("second"), home.resolve("fuse-second"), false);
        var scene = new PowerScene(home, "scene", files.device(), raw.device())) {
      Lab lab = scene.lab();
      lab.ok("attach", scene.file("first.img").toString(), "--name", "first");
      lab.ok("attach", scene.second().toString(), "--name", "second");
      generations = generations(lab);
      attached = clock.incrementAndGet();
      whileWriting(lab, List.of(0, 1), () -> Lab.pause(500 + random.nextInt(500)));
      for (TickedDisk disk : disks) {
        try (NbdSession session = NbdSession.open(lab.nbdSocket(), disk.name())) {
          disk.flush(session); // a region whose data was not flushed stays open
        }
      }
      Lab.until("all regions rest", () -> restingIn(lab.state()));
      Commands.run("sync", "--file-system", scene.file("").toString());
      rested = clock.incrementAndGet();
      whileWriting(lab, List.of(1, 2), () -> liveThrough(lab, scene, random));
      ended = clock.incrementAndGet();
    }
  }

  private static Map<String, String> generations(Lab lab) {
    Map<String, String> generations = new HashMap<>();
    for (String device : List.of("first", "second")) {
      generations.put(device, lab.ok("cat", "/sys/block/" + device + "/cbt/generation_id"));
    }
    return generations;
  }

  private interface Deed {
    void run() throws Exception;
  }

  /** Writes, flushes and writes through, in these regions of both disks, while the deed is done. */
  private void whileWriting(Lab lab, List<Integer> regions, Deed deed) throws Exception {
    stop.set(false);
    try (ExecutorService threads = Executors.newCachedThreadPool()) {
      List<Future<?>> writers = new ArrayList<>();
      for (TickedDisk disk : disks) {
        for (int lane = 0; lane < LANES; lane++) {
          int own = lane;
          Random random = seeds.random((int) clock.incrementAndGet());
          writers.add(threads.submit(() -> write(lab, disk, own, regions, random)));
        }
      }
      try {
        deed.run();
      } finally {
        stop.set(true);
        for (Future<?> writer : writers) {
          writer.get();
        }
      }
    }
  }

  private void write(Lab lab, TickedDisk disk, int lane, List<Integer> regions, Random random) {
    try (NbdSession session = NbdSession.open(lab.nbdSocket(), disk.name())) {
      while (!stop.get()) {
        int region = regions.get(random.nextInt(regions.size()));
        int count = 1 + random.nextInt(MOST_BLOCKS);
        int first =
            region * TickedDisk.REGION_BLOCKS
                + lane * LANE_BLOCKS
                + random.nextInt(LANE_BLOCKS / 8 - count); // so that blocks are written again
        disk.write(session, first, count, random.nextInt(32) == 0);
        if (random.nextInt(24) == 0) {
          disk.flush(session);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException("a client of " + disk.name() + " failed", e);
    }
  }

  private static boolean restingIn(Path state) throws IOException {
    List<Path> records;
    try (Stream<Path> all = Files.walk(state)) {
      records = all.filter(path -> path.endsWith("intent")).toList();
    }
    assertThat(records).hasSize(2);
    for (Path record : records) {
      byte[] bytes = Files.readAllBytes(record);
      for (int at = (int) INTENT_BITS; at < bytes.length; at++) {
        if (bytes[at] != 0) {
          return false;
        }
      }
    }
    return true;
  }

  /** Snapshots of every durability, each above others. */
  private void liveThrough(Lab lab, PowerScene scene, Random random) throws IOException {
    for (String durability : List.of("process", "power", "process", "power", "none", "power")) {
      var held = new Held("s" + snapshots.size() + "-" + durability, durability);
      snapshots.add(held);
      lab.ok(
          "snapshot",
          "create",
          "first",
          "second",
          "--storage",
          scene.file("storage").toString(),
          "--name",
          held.name,
          "--durability",
          durability);
      long sent = clock.incrementAndGet();
      held.take = new Span(sent, Stamps.NEVER);
      lab.ok("snapshot", "take", held.name);
      held.take = new Span(sent, clock.incrementAndGet());
      for (TickedDisk disk : disks) {
        String image = disk.name() + "@" + held.name;
        held.images.put(disk, Stamps.read(ByteBuffer.wrap(lab.content(image)), image));
      }
      Lab.pause(random.nextInt(300));
      if (snapshots.size() > 3 && random.nextBoolean()) {
        Held gone = snapshots.get(random.nextInt(snapshots.size()));
        if (gone.destroy.equals(Span.NEVER)) {
          long asked = clock.incrementAndGet();
          gone.destroy = new Span(asked, Stamps.NEVER);
          lab.ok("snapshot", "destroy", gone.name);
          gone.destroy = new Span(asked, clock.incrementAndGet());
        }
      }
    }
  }

  // The cuts.

  private void cut(
      Path home, int number, RecordedDisk fileSystem, RecordedDisk second, Random random)
      throws Exception {
    boolean early = random.nextInt(4) == 0;
    long from = early ? attached : rested;
    long span = (early ? rested : ended) - from;
    // Later ones more often: there is more to lose.
    long cut = from + Math.max(random.nextLong(span), random.nextLong(span));
    String which = "cut " + number + " at " + cut + " of " + ended + ", " + seeds;
    Path filesImage = home.resolve("cut-files.img");
    Path secondImage = home.resolve("cut-second.img");
    loose += fileSystem.cut(filesImage, cut, random);
    loose += second.cut(secondImage, cut, random);
    // A loop device in between, so that numbers differ from those of the recording.
    try (LoopDevice files = LoopDevice.attach(filesImage, 512);
        LoopDevice other = LoopDevice.attach(filesImage, 512, "--read-only");
        LoopDevice raw = LoopDevice.attach(secondImage, 512);
        var scene = new PowerScene(home, "cut-" + number, files.path(), raw.path())) {
      assertThat(other.path()).isNotEqualTo(files.path());
      try {
        verify(scene.lab(), cut, which);
        goOn(scene, which);
      } catch (AssertionError | Exception e) {
        String said = scene.lab().command("dmesg").out();
        throw new AssertionError(
            "in %s: %s%n%nThe daemon said:%n%s".formatted(which, e.getMessage(), said), e);
      }
    } finally {
      Files.delete(filesImage);
      Files.delete(secondImage);
    }
  }

  private void verify(Lab lab, long cut, String which) throws IOException {
    assertThat(generations(lab)).as(which).isEqualTo(generations);
    Map<TickedDisk, byte[]> contents = new HashMap<>();
    for (TickedDisk disk : disks) {
      byte[] content = lab.content(disk.name());
      contents.put(disk, content);
      boolean[] written = disk.check(content, cut, which);
      boolean[] changed = lab.changed(disk.name(), diskBytes());
      for (int block = 0; block < written.length; block++) {
        assertThat(changed[block] || !written[block])
            .as("block %d of %s changed and is missed, %s", block, disk.name(), which)
            .isTrue();
      }
      overReport(disk, changed, cut, which);
    }
    for (Held held : snapshots) {
      verify(lab, held, contents, cut, which);
    }
  }

  /** What nobody wrote is reported in regions only that were in use since they all rested. */
  private void overReport(TickedDisk disk, boolean[] changed, long cut, String which) {
    long since = cut > rested ? rested : 0;
    for (int region = 0; region < REGIONS; region++) {
      int first = region * TickedDisk.REGION_BLOCKS;
      boolean inUse = disk.wasWritten(first, TickedDisk.REGION_BLOCKS, since, cut);
      for (int block = first; block < first + TickedDisk.REGION_BLOCKS; block++) {
        if (changed[block] && !disk.wasWritten(block, 1, 0, cut)) {
          overReported++;
          assertThat(inUse)
              .as(
                  "block %d of %s is reported, and nobody wrote its region, %s",
                  block, disk.name(), which)
              .isTrue();
        }
      }
    }
  }

  private void verify(Lab lab, Held held, Map<TickedDisk, byte[]> contents, long cut, String which)
      throws IOException {
    String what = held.name + ", " + which;
    CommandRun state = lab.command("cat", "/sys/fs/blksnap/" + held.name + "/state");
    if (state.code() != 0) {
      assertThat(
              held.take.answered > cut || held.destroy.sent < cut || held.durability.equals("none"))
          .as("%s: %s", what, state.err())
          .isTrue();
      return;
    }
    assertThat(held.destroy.answered).as("%s is there again", what).isGreaterThan(cut);
    boolean taken = state.out().strip().equals("taken");
    if (held.take.answered < cut) {
      assertThat(taken).as(what).isTrue();
    }
    if (!taken) {
      return;
    }
    assertThat(held.durability).as(what).isNotEqualTo("none");
    for (TickedDisk disk : disks) {
      verifyImage(lab, held, disk, contents, what);
    }
  }

  private void verifyImage(
      Lab lab, Held held, TickedDisk disk, Map<TickedDisk, byte[]> contents, String what)
      throws IOException {
    String image = disk.name() + "@" + held.name;
    byte[] content;
    try {
      content = lab.content(image);
    } catch (NbdSession.Refused e) {
      assertThat(e.errno()).as(what).isEqualTo(NbdSession.EIO);
      assertThat(held.durability).as(what).isEqualTo("process");
      assertThat(lab.ok("snapshot", "info", held.name, "-o", "json")).as(what).contains("EIO");
      assertThat(lab.ok("dmesg"))
          .as(what)
          .containsPattern(held.name + ": image of " + disk.name() + " .*power was lost");
      broken++;
      return;
    }
    intact++;
    long[] shown = Stamps.read(ByteBuffer.wrap(content), what);
    long[] expected = held.images.get(disk);
    assertThat(Arrays.mismatch(shown, expected))
        .as("first different block of %s, %s", image, what)
        .isEqualTo(-1);
    boolean[] changed = lab.changed(disk.name(), diskBytes(), "--since", held.name);
    byte[] now = contents.get(disk);
    for (int block = 0; block < changed.length; block++) {
      int at = block * Stamps.BLOCK;
      boolean same = Arrays.equals(content, at, at + Stamps.BLOCK, now, at, at + Stamps.BLOCK);
      assertThat(changed[block] || same)
          .as("block %d of %s differs from %s and is missed", block, disk.name(), what)
          .isTrue();
    }
  }

  /** The daemon of the new boot works as any. */
  private void goOn(PowerScene scene, String which) throws IOException {
    Lab lab = scene.lab();
    List<String> storage = List.of("--storage", scene.file("storage").toString());
    var words = new ArrayList<>(List.of("snapshot", "create", "first", "second", "--name", "new"));
    words.addAll(storage);
    words.add("--take");
    lab.ok(words.toArray(String[]::new));
    for (TickedDisk disk : disks) {
      byte[] before = lab.content(disk.name() + "@new");
      try (NbdSession session = NbdSession.open(lab.nbdSocket(), disk.name())) {
        session.writeThrough(0, Stamps.content(-1, 8 * Stamps.BLOCK));
      }
      assertThat(Arrays.mismatch(lab.content(disk.name() + "@new"), before))
          .as(which)
          .isEqualTo(-1);
    }
    for (String line : lab.ok("snapshot", "list", "-o", "plain").lines().toList()) {
      lab.ok("snapshot", "destroy", line.substring(0, line.indexOf('\t')));
    }
    try (Stream<Path> left = Files.list(scene.file("storage"))) {
      assertThat(left).as(which).isEmpty();
    }
  }
}
