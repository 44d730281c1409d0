package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Bytes;
import blksnap.testing.Seeds;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Backups that are killed at any moment, with a daemon's engine and with one of their own. */
@Timeout(600)
final class BackupKillIT {
  private static final int MIB = 1 << 20;
  private static final int SIZE = 8 * MIB;
  private static final int ROUNDS = Integer.getInteger("blksnap.backup.kills", 3);

  /** Longest time before a kill; a command needs a part of it to start, and more than it to end. */
  private static final int MOST_MILLIS = 1_500;

  @TempDir private Path directory;

  private final Seeds seed = Seeds.ofRun();
  private final Random random = seed.random();
  private Lab lab;
  private Path disk;
  private Path storage;
  private Path to;

  @BeforeEach
  void make() throws IOException {
    Lab.need("qemu-img");
    lab = new Lab(directory);
    disk = lab.disk("vm1.img", SIZE);
    storage = Files.createDirectory(lab.path("storage"));
    to = lab.path("backups");
  }

  @AfterEach
  void end() {
    lab.close();
  }

  /** What is done to the disk between two backups. */
  @FunctionalInterface
  private interface Change {
    void make(long offset, byte[] content) throws IOException;
  }

  private Background start(String... more) throws IOException {
    List<String> words = new ArrayList<>(List.of(Lab.launcher(), "backup", disk.toString()));
    words.addAll(List.of("--to", to.toString(), "--storage", storage.toString(), "--json"));
    words.addAll(List.of(more));
    return lab.start(lab.variables(), words.toArray(String[]::new));
  }

  /** Backs the disk up to the end; its point as the command tells it. */
  private JsonObject backUp() throws Exception {
    try (Background backup = start()) {
      List<String> lines = backup.awaitSuccess().lines().toList();
      JsonObject made = JsonParser.parseString(lines.getLast()).getAsJsonObject();
      return made.getAsJsonArray("points").get(0).getAsJsonObject();
    }
  }

  private List<String> points() {
    return lab.ok("backups", to.toString(), "-o", "plain")
        .lines()
        .map(line -> line.split("\t", -1)[0].split("/", -1)[1])
        .toList();
  }

  private long drafts() throws IOException {
    if (!Files.isDirectory(to.resolve("vm1"))) {
      return 0;
    }
    try (Stream<Path> all = Files.list(to.resolve("vm1"))) {
      return all.filter(path -> path.toString().endsWith(".part")).count();
    }
  }

  /** Begins a backup that lasts, and kills it: the first time while it copies. */
  private void kill(int round) throws Exception {
    long start = System.nanoTime();
    long nanos = random.nextInt(MOST_MILLIS) * 1_000_000L;
    try (Background backup = start("--limit-rate", "8M")) {
      Lab.until(
          "the moment of the kill",
          () ->
              (round == 0 ? drafts() > 0 : System.nanoTime() - start >= nanos)
                  || !backup.isAlive());
      lab.program("sh", "-c", "kill -KILL " + backup.pid() + " || true");
      assertThat(backup.await()).as("%s: %s", seed, backup.output()).isIn(0, 128 + 9);
    }
  }

  private void rounds(Change change, String looked) throws Exception {
    List<String> good = new ArrayList<>(List.of(backUp().get("point").getAsString()));
    for (int round = 0; round < ROUNDS; round++) {
      for (int i = 0; i < 4; i++) {
        byte[] fresh = Bytes.pattern(random.nextInt(), i, MIB / 2);
        change.make(random.nextInt(SIZE - fresh.length), fresh);
      }
      kill(round);
      List<String> after = points();
      assertThat(after).as("%s", seed).startsWith(good.toArray(String[]::new));
      if (after.size() > good.size()) { // killed when all was done
        assertThat(after).as("%s", seed).hasSize(good.size() + 1);
        requireGood(after.getLast());
        good.add(after.getLast());
      }

      change.make(random.nextInt(SIZE - 5000), Bytes.pattern(random.nextInt(), 0, 5000));
      JsonObject next = backUp();
      assertThat(next.get("parent").getAsString()).as("%s", seed).isEqualTo(good.getLast());
      assertThat(next.get("looked_at").getAsString()).as("%s", seed).isEqualTo(looked);
      good.add(next.get("point").getAsString());
      assertThat(points()).as("%s", seed).isEqualTo(good);
      assertThat(drafts()).isZero();
      try (Stream<Path> left = Files.list(storage)) {
        assertThat(left).as("diff storage of a snapshot, %s", seed).isEmpty();
      }
      requireGood(good.getLast());
    }
    lab.ok("verify", to.toString());
  }

  /** The point is what the disk is now. */
  private void requireGood(String point) throws Exception {
    String image = to.resolve("vm1").resolve(point + ".qcow2").toString();
    assertThat(lab.program("qemu-img", "check", image)).contains("No errors");
    Path restored = lab.path("restored");
    lab.ok("restore", image, "--to", restored.toString());
    assertThat(Files.mismatch(disk, restored)).as("%s %s", point, seed).isEqualTo(-1);
    Files.delete(restored);
  }

  @Test
  void withADaemonTheNextOneReleasesTheSnapshotAndGoesOnByTheMap() throws Exception {
    lab.load();
    lab.ok("attach", disk.toString(), "--name", "vm1");
    try (NbdSession session = NbdSession.open(lab.nbdSocket(), "vm1")) {
      rounds(
          (offset, content) -> {
            session.write(offset, content);
            session.flush();
          },
          "map");
    }
    assertThat(lab.ok("snapshot", "list", "-o", "plain")).isEmpty();
  }

  @Test
  void withAnEngineOfItsOwnTheNextOneGoesOnByContent() throws Exception {
    rounds(
        (offset, content) -> {
          try (var file = new RandomAccessFile(disk.toFile(), "rw")) {
            file.seek(offset);
            file.write(content);
          }
        },
        "content");
  }
}
