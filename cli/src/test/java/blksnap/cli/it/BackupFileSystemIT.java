package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Commands;
import blksnap.testing.LoopDevice;
import blksnap.testing.Seeds;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Generations of a file system that is written to while each backup of it is taken. Some of its
 * files rest meanwhile, and are known by their hashes; others come and go, and are whole wherever
 * they are seen, as they are made durable before they get their names.
 */
@Timeout(240)
final class BackupFileSystemIT {
  private static final int MIB = 1 << 20;
  private static final int FILES = 12;
  private static final int GENERATIONS = 10;
  private static final int HASH_BYTES = 32;

  @TempDir private Path directory;

  private final Seeds seeds = Seeds.ofRun();
  private final Random random = seeds.random();
  private final AtomicBoolean stop = new AtomicBoolean();

  /** The hash of each file that rested, by the point. */
  private final Map<String, Map<String, String>> hashes = new LinkedHashMap<>();

  private Lab lab;
  private Path backups;

  @BeforeEach
  void make() {
    NbdMount.require();
    Lab.need("mkfs.ext4", "mount", "umount", "qemu-img");
    lab = new Lab(directory);
    backups = lab.path("backups");
  }

  @AfterEach
  void end() {
    lab.close();
  }

  @Test
  void everyFileOfEachOfTenGenerationsIsWhatItWas() throws Exception {
    lab.load();
    Path disk = lab.sparse("vm1.img", 64L * MIB);
    lab.ok("attach", disk.toString(), "--name", "vm1");
    try (NbdMount device = NbdMount.attach(lab, "vm1", lab.path("fuse"), false)) {
      Commands.run("mkfs.ext4", "-q", device.device().toString());
      try (Mounted mounted = Mounted.mount(device.device(), lab.path("files"));
          ExecutorService threads = Executors.newSingleThreadExecutor()) {
        Files.createDirectory(mounted.at().resolve("resting"));
        Files.createDirectory(mounted.at().resolve("busy"));
        Future<Integer> writer = threads.submit(() -> keepWriting(mounted.at().resolve("busy")));
        try {
          generations(mounted.at());
        } finally {
          stop.set(true);
          assertThat(writer.get()).as("files written beside, %s", seeds).isPositive();
        }
      }
    }
    lab.ok("prune", backups.toString(), "--keep-last", "4");
    List<String> points = points();
    assertThat(points).hasSize(4).isSubsetOf(hashes.keySet());
    for (String point : points) {
      requireGood(point);
    }
    lab.ok("verify", backups.toString());
    lab.unload();
  }

  private List<String> points() {
    return lab.ok("backups", backups.toString(), "-o", "plain")
        .lines()
        .map(line -> line.split("\t", -1)[0].split("/", -1)[1])
        .toList();
  }

  private void generations(Path files) throws Exception {
    Path resting = files.resolve("resting");
    for (int generation = 0; generation < GENERATIONS; generation++) {
      change(resting);
      Map<String, String> now = hashes(resting);
      String[] words = {
        "backup",
        "vm1",
        "--to",
        backups.toString(),
        "--storage",
        directory.toString(),
        "--compression",
        generation % 3 == 0 ? "none" : "zstd",
        "-o",
        "plain"
      };
      String[] fields = lab.ok(words).split("\t", -1);
      assertThat(fields[1]).isEqualTo(generation == 0 ? "full" : "increment");
      String point = fields[0].split("/", -1)[1];
      hashes.put(point, now);
      if (generation == GENERATIONS / 2) {
        requireGood(point);
        lab.ok("prune", backups.toString(), "--keep-last", "3");
        for (String kept : points()) {
          requireGood(kept);
        }
      }
    }
  }

  /** Files come, go, and are written over in part; all of it is on the disk when this returns. */
  private void change(Path resting) throws IOException {
    for (int i = 0; i < FILES / 2; i++) {
      Path file = resting.resolve("f" + random.nextInt(FILES));
      if (Files.exists(file) && random.nextInt(3) == 0) {
        Files.delete(file);
      } else if (Files.exists(file) && random.nextBoolean()) {
        Files.write(file, bytes(random, 5000), StandardOpenOption.WRITE);
      } else {
        Files.write(file, bytes(random, MIB / 2));
      }
    }
    Commands.run("sync", "--file-system", resting.toString());
  }

  private static byte[] bytes(Random random, int most) {
    byte[] content = new byte[1 + random.nextInt(most)];
    random.nextBytes(content);
    return content;
  }

  private static byte[] hash(byte[] content) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(content);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Map<String, String> hashes(Path files) throws IOException {
    Map<String, String> hashes = new TreeMap<>();
    try (Stream<Path> all = Files.list(files)) {
      for (Path file : all.toList()) {
        String hash = HexFormat.of().formatHex(hash(Files.readAllBytes(file)));
        hashes.put(file.getFileName().toString(), hash);
      }
    }
    return hashes;
  }

  /** Each file begins with the hash of the rest. */
  private int keepWriting(Path busy) throws IOException {
    Random own = seeds.random(1);
    int written = 0;
    for (; !stop.get(); written++) {
      byte[] content = bytes(own, MIB / 8);
      Path draft = busy.resolve("draft");
      try (var out = Files.newByteChannel(draft, drafting())) {
        out.write(java.nio.ByteBuffer.wrap(hash(content)));
        out.write(java.nio.ByteBuffer.wrap(content));
      }
      Files.move(
          draft,
          busy.resolve("b" + own.nextInt(30)),
          StandardCopyOption.ATOMIC_MOVE,
          StandardCopyOption.REPLACE_EXISTING);
    }
    return written;
  }

  private static java.util.Set<StandardOpenOption> drafting() {
    return java.util.Set.of(
        StandardOpenOption.CREATE,
        StandardOpenOption.TRUNCATE_EXISTING,
        StandardOpenOption.WRITE,
        StandardOpenOption.SYNC);
  }

  private void requireGood(String point) throws Exception {
    String image = backups.resolve("vm1").resolve(point + ".qcow2").toString();
    Path restored = lab.path("restored");
    Path converted = lab.path("converted");
    lab.ok("restore", image, "--to", restored.toString());
    assertThat(lab.program("qemu-img", "check", image)).contains("No errors");
    lab.program("qemu-img", "compare", "-f", "raw", "-F", "qcow2", restored.toString(), image);
    lab.program("qemu-img", "convert", "-O", "raw", image, converted.toString());
    assertThat(Files.mismatch(converted, restored)).as("%s, %s", point, seeds).isEqualTo(-1);

    Path at = lab.path("files-restored");
    try (LoopDevice device = LoopDevice.attach(restored, 512);
        Mounted mounted = Mounted.mount(device.path(), at)) {
      assertThat(hashes(mounted.at().resolve("resting")))
          .as("%s, %s", point, seeds)
          .isEqualTo(hashes.get(point));
      requireWhole(mounted.at().resolve("busy"));
    }
    Files.delete(restored);
    Files.delete(converted);
  }

  private void requireWhole(Path busy) throws IOException {
    try (Stream<Path> all = Files.list(busy)) {
      for (Path file : all.filter(path -> !path.endsWith("draft")).toList()) {
        byte[] content = Files.readAllBytes(file);
        byte[] rest = Arrays.copyOfRange(content, HASH_BYTES, content.length);
        assertThat(Arrays.copyOf(content, HASH_BYTES))
            .as("%s, %s", file, seeds)
            .isEqualTo(hash(rest));
      }
    }
  }
}
