package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Bytes;
import blksnap.testing.LoopFileSystem;
import blksnap.testing.Seeds;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Commands on backups that are killed at any moment, or whose target has no room left. */
@Timeout(300)
final class BackupCrashIT {
  private static final int MIB = 1 << 20;
  private static final int SIZE = 32 * MIB;

  /** Longest time before a kill; a command needs a part of it to start, and more than it to end. */
  private static final int MOST_MILLIS = 2_500;

  @TempDir private Path directory;

  private final Seeds seed = Seeds.ofRun();
  private final Random random = seed.random();
  private final Map<String, byte[]> models = new LinkedHashMap<>();
  private Lab lab;
  private Path disk;
  private byte[] content = {};

  @BeforeEach
  void make() throws Exception {
    Lab.need("qemu-img", "cp");
    lab = new Lab(directory);
    disk = lab.disk("vm1.img", SIZE);
    content = Files.readAllBytes(disk);
    lab.load();
    lab.ok("attach", disk.toString(), "--name", "vm1");
  }

  @AfterEach
  void end() {
    lab.close();
  }

  /** Backs the device up, and remembers what it was; the name of the point. */
  private String backUp(Path to) {
    String made =
        lab.ok(
            "backup",
            "vm1",
            "--to",
            to.toString(),
            "--storage",
            directory.toString(),
            "-o",
            "plain");
    String point = made.split("\t", -1)[0].split("/", -1)[1];
    models.put(point, content.clone());
    return point;
  }

  private void change(int bytes) throws IOException {
    try (NbdSession session = NbdSession.open(lab.nbdSocket(), "vm1")) {
      for (int left = bytes; left > 0; left -= 64 << 10) {
        byte[] fresh = Bytes.pattern(random.nextInt(), left, Math.min(left, 64 << 10));
        int at = random.nextInt(SIZE - fresh.length);
        session.write(at, fresh);
        System.arraycopy(fresh, 0, content, at, fresh.length);
      }
    }
  }

  private List<String> chain(Path to, int points) throws IOException {
    List<String> chain = new ArrayList<>();
    for (int i = 0; i < points; i++) {
      chain.add(backUp(to));
      change(3 * MIB);
    }
    return chain;
  }

  private void requireGood(Path to, String point) throws Exception {
    Path model = Files.write(lab.path("model"), models.get(point));
    String image = to.resolve("vm1").resolve(point + ".qcow2").toString();
    assertThat(lab.program("qemu-img", "check", image)).contains("No errors");
    lab.program("qemu-img", "compare", "-f", "raw", "-F", "qcow2", model.toString(), image);
    Path restored = lab.path("restored");
    lab.ok("restore", image, "--to", restored.toString());
    assertThat(Files.mismatch(model, restored)).as("%s %s", point, seed).isEqualTo(-1);
    Files.delete(restored);
  }

  private List<String> points(Path to) {
    return lab.ok("backups", to.toString(), "-o", "plain")
        .lines()
        .map(line -> line.split("\t", -1)[0].split("/", -1)[1])
        .toList();
  }

  private List<String> files(Path to, String ending) throws IOException {
    try (Stream<Path> all = Files.list(to.resolve("vm1"))) {
      return all.map(path -> path.getFileName().toString())
          .filter(name -> name.endsWith(ending))
          .toList();
    }
  }

  /** Starts a command and kills it; whether it had ended well before. */
  private boolean kill(Lab.Condition moment, String... words) throws Exception {
    List<String> command = new ArrayList<>(List.of(Lab.launcher()));
    command.addAll(List.of(words));
    try (Background started = lab.start(lab.variables(), command.toArray(String[]::new))) {
      Lab.until("the moment of the kill", () -> moment.holds() || !started.isAlive());
      lab.program("sh", "-c", "kill -KILL " + started.pid() + " || true");
      int code = started.await();
      assertThat(code).as("%s: %s", seed, started.output()).isIn(0, 128 + 9);
      return code == 0;
    }
  }

  private Lab.Condition afterAWhile() {
    long start = System.nanoTime();
    long nanos = random.nextInt(MOST_MILLIS) * 1_000_000L;
    return () -> System.nanoTime() - start >= nanos;
  }

  @Test
  void aPruneThatIsKilledAtAnyMomentLeavesEveryPointThatIsKept() throws Exception {
    Path made = lab.path("made");
    List<String> chain = chain(made, 5);
    for (int kill = 0; kill < 4; kill++) {
      Path to = lab.path("kill" + kill);
      lab.program("cp", "-a", made.toString(), to.toString());
      String[] prune = {"prune", to.toString(), "--keep-last", "2", "--limit-rate", "16M"};
      // The first one is killed while it writes, others at any moment.
      Lab.Condition moment = kill == 0 ? () -> !files(to, ".qcow2.part").isEmpty() : afterAWhile();
      boolean done = kill(moment, prune);
      assertThat(points(to)).as("%s", seed).containsAll(chain.subList(3, 5));
      for (String point : points(to)) {
        requireGood(to, point);
      }
      assertThat(kill == 0 && done).isFalse();

      lab.ok("prune", to.toString(), "--keep-last", "2");
      assertThat(points(to)).as("%s", seed).isEqualTo(chain.subList(3, 5));
      assertThat(files(to, ".part")).isEmpty();
      assertThat(files(to, ".hash")).hasSize(2);
      requireGood(to, chain.getLast());
      lab.ok("verify", to.toString());
      lab.program("rm", "-r", to.toString());
    }
  }

  @Test
  void aRestoreThatIsKilledAtAnyMomentIsGoneOnWith() throws Exception {
    int places = 5;
    Path large = lab.sparse("large.img", (long) places << 30);
    byte[][] parts = new byte[places][];
    try (var file = new RandomAccessFile(large.toFile(), "rw")) {
      for (int i = 0; i < places; i++) {
        parts[i] = Bytes.pattern(random.nextInt(), i, 4 * MIB);
        file.seek((long) i << 30);
        file.write(parts[i]);
      }
    }
    Path to = lab.path("backups");
    lab.ok("backup", large.toString(), "--to", to.toString(), "--storage", directory.toString());
    Path target = lab.path("target.img");
    String[] restore = {
      "restore", to + "/large", "--to", target.toString(), "--limit-rate", "8M", "--jobs", "2"
    };
    boolean done = kill(() -> Files.exists(target), restore);
    for (int kill = 0; kill < 4 && !done; kill++) {
      done = kill(afterAWhile(), restore);
    }
    if (!done) {
      lab.ok("restore", to + "/large", "--to", target.toString());
    }
    lab.program("qemu-img", "compare", large.toString(), target.toString());
    assertThat(lab.path("target.img.blksnap-restore")).doesNotExist();

    // In place it is begun anew, and comes to the same.
    try (var file = new RandomAccessFile(target.toFile(), "rw")) {
      for (int i = 0; i < places; i++) {
        file.seek(((long) i << 30) + MIB);
        file.write(Bytes.repeated('x', 3 * MIB));
      }
    }
    String[] inPlace = {
      "restore", to + "/large", "--to", target.toString(), "--in-place", "--limit-rate", "8M"
    };
    kill(afterAWhile(), inPlace);
    lab.ok("restore", to + "/large", "--to", target.toString(), "--in-place");
    lab.program("qemu-img", "compare", large.toString(), target.toString());
  }

  @Test
  void aTargetWithTenMebibytesLeftKeepsWhatItHas() throws Exception {
    LoopFileSystem.require();
    try (LoopFileSystem small = LoopFileSystem.mount(lab.path("small"), 128)) {
      Path to = small.path();
      backUp(to);
      change(MIB);
      backUp(to);
      leave(small, 10);
      change(24 * MIB);
      String refusal =
          lab.refused("backup", "vm1", "--to", to.toString(), "--storage", directory.toString());
      assertThat(refusal).contains("(ENOSPC)");
      List<String> all = List.copyOf(models.keySet());
      assertThat(points(to)).isEqualTo(all);
      assertThat(files(to, ".part")).isEmpty();
      assertThat(lab.ok("snapshot", "list", "-o", "plain")).isEmpty();

      // To merge the base takes as much as it has; none is removed before that.
      assertThat(lab.refused("prune", to.toString(), "--keep-last", "1")).contains("(ENOSPC)");
      assertThat(points(to)).isEqualTo(all);
      assertThat(files(to, ".part")).isEmpty();
      String target = to.resolve("target.img").toString();
      assertThat(lab.refused("restore", to + "/vm1", "--to", target)).contains("(ENOSPC)");
      Files.delete(Path.of(target + ".blksnap-restore"));
      Files.delete(Path.of(target));
      for (String point : all) {
        requireGood(to, point);
      }

      Files.delete(to.resolve("other"));
      String next = backUp(to);
      List<String> lines = lab.ok("backups", to.toString(), "-o", "plain").lines().toList();
      assertThat(lines.getLast()).contains(next, "increment");
      requireGood(to, next);
      lab.ok("prune", to.toString(), "--keep-last", "1");
      requireGood(to, next);
      lab.ok("verify", to.toString());
    }
  }

  /** Fills the file system but for so much. */
  private void leave(LoopFileSystem small, int mebibytes) throws Exception {
    long free = Files.getFileStore(small.path()).getUnallocatedSpace();
    long fill = free / MIB - mebibytes;
    assertThat(fill).isPositive();
    String file = small.path().resolve("other").toString();
    lab.program("fallocate", "--length", fill + "M", file);
  }

  @Test
  void saysHowManyBytesItReadChangedAndStoredWhileItRuns() throws Exception {
    Path to = lab.path("backups");
    String[] slow = {
      Lab.launcher(),
      "backup",
      "vm1",
      "--to",
      to.toString(),
      "--storage",
      directory.toString(),
      "--limit-rate",
      "8M",
      "--json"
    };
    List<JsonObject> told = new ArrayList<>();
    JsonObject made = new JsonObject();
    try (Background backup = lab.start(lab.variables(), slow)) {
      for (String line : backup.awaitSuccess().lines().toList()) {
        JsonObject object = JsonParser.parseString(line).getAsJsonObject();
        if (object.has("progress")) {
          told.add(object.getAsJsonObject("progress"));
        } else {
          made = object;
        }
      }
    }
    JsonObject point = made.getAsJsonArray("points").get(0).getAsJsonObject();
    told.removeIf(progress -> !progress.get("stage").getAsString().startsWith("copying"));
    assertThat(told).isNotEmpty(); // 32 MiB last four seconds
    for (String amount : List.of("read", "changed", "stored")) {
      List<Long> values = told.stream().map(one -> one.get(amount).getAsLong()).toList();
      assertThat(values).isSorted();
      assertThat(values.getLast()).isBetween(1L, point.get(amount).getAsLong());
    }
  }
}
