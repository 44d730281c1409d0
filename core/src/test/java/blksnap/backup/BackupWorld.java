package blksnap.backup;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.qcow2.Compression;
import blksnap.testing.Bytes;
import blksnap.testing.Commands;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.stream.Stream;

/** A disk, a directory of its backups, and what the disk was at each of them. */
final class BackupWorld {
  static final String DEVICE = "vm1";
  static final String PATH = "/srv/vm1.img";
  static final Instant START = Instant.parse("2026-01-01T00:00:00Z");
  static final int TRACKING_BYTES = 1 << 16;

  static final BackupOptions PLAIN =
      new BackupOptions(false, Compression.NONE, false, BackupOptions.Load.DEFAULT);

  private static final boolean QEMU = Commands.works("qemu-img", "--version");

  final SparseDisk disk;
  final DirectoryStore store;
  final Map<String, SparseDisk> models = new LinkedHashMap<>();
  private final Path directory;
  private final Path sockets;
  private Instant now = START;
  private int files;

  BackupWorld(Path directory, long diskBytes) throws IOException {
    this.directory = directory;
    this.disk = new SparseDisk(diskBytes);
    this.store = new DirectoryStore(directory.resolve("backups"));
    this.sockets = Files.createDirectory(directory.resolve("s"));
  }

  Path path(String file) {
    return directory.resolve("backups").resolve(DEVICE).resolve(file);
  }

  /** Backs the disk up as it is, into a store, and remembers in {@code models} what it was. */
  Manifest backUpByContent(BackupStore into, Map<String, SparseDisk> models) throws IOException {
    SparseDisk frozen = disk.copy();
    try (ServedDisk served = serve(frozen);
        DeviceBackup backup = DeviceBackup.begin(into, DEVICE, PATH, PLAIN)) {
      var image =
          new DeviceBackup.Image(
              served.address(),
              Instant.parse("2026-06-01T00:00:00Z"),
              Optional.empty(),
              0,
              "crash-consistent",
              Optional.empty());
      backup.copy(image, UUID.randomUUID());
      backup.keep();
      Manifest manifest = backup.publish();
      backup.commit();
      models.put(manifest.name(), frozen);
      return manifest;
    }
  }

  Path newFile() {
    return directory.resolve("file" + files++);
  }

  static BackupOptions full() {
    return new BackupOptions(true, Compression.NONE, false, BackupOptions.Load.DEFAULT);
  }

  ServedDisk serve(SparseDisk served) throws IOException {
    return new ServedDisk(served, sockets.resolve("s" + files++));
  }

  /** Backs the disk up, by the map of what changed or without one. */
  Manifest backup(BackupOptions options, boolean byMap) throws IOException {
    Optional<Ranges> changes =
        byMap ? Optional.of(Ranges.of(disk.takeChanges(TRACKING_BYTES))) : Optional.empty();
    if (!byMap) {
      disk.takeChanges(TRACKING_BYTES);
    }
    now = now.plus(1, ChronoUnit.DAYS);
    SparseDisk frozen = disk.copy();
    Manifest manifest;
    try (ServedDisk served = serve(frozen);
        DeviceBackup backup = DeviceBackup.begin(store, DEVICE, PATH, options)) {
      backup.copy(
          new DeviceBackup.Image(
              served.address(), now, Optional.empty(), 0, "crash-consistent", changes),
          UUID.randomUUID());
      backup.keep();
      manifest = backup.publish();
      backup.commit();
    }
    models.put(manifest.name(), frozen);
    return manifest;
  }

  /** What the disk was at a point. */
  SparseDisk model(String point) {
    return Objects.requireNonNull(models.get(point));
  }

  DevicePoints points() throws IOException {
    return DevicePoints.load(store, DEVICE);
  }

  /** Restores a point to a new file, by our own means. */
  Path restore(String name) throws IOException {
    DevicePoints points = points();
    Path file = newFile();
    new Restore(
            points, points.find(name), new Restore.Way(false, false), BackupOptions.Load.DEFAULT)
        .to(file);
    return file;
  }

  /** A point is what the disk was, by our own reading and by QEMU's, and nothing is wrong. */
  void requireGood(String name, String hint) throws IOException {
    Path model = model(name).writeTo(newFile());
    Path restored = restore(name);
    assertThat(model(name).mismatch(restored)).as("%s of %s", hint, name).isEqualTo(-1);
    if (QEMU && Files.exists(path(name + ".qcow2"))) {
      String image = path(name + ".qcow2").toString();
      assertThat(Commands.run("qemu-img", "check", image))
          .as("%s of %s", hint, name)
          .contains("No errors were found");
      Commands.run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", model.toString(), image);
    }
    Files.delete(model);
    Files.delete(restored);
  }

  void requireAllGood(String hint) throws IOException {
    DevicePoints points = points();
    assertThat(points.damaged()).isEmpty();
    var verification = new Verification(store, points, BackupOptions.Load.DEFAULT);
    for (Manifest point : points.all()) {
      assertThat(verification.verify(point)).as("%s of %s", hint, point.name()).isEmpty();
      requireGood(point.name(), hint);
    }
  }

  /** Files of the device's backups, sorted. */
  List<String> files() throws IOException {
    try (Stream<Path> all = Files.list(path(""))) {
      return all.map(path -> path.getFileName().toString())
          .filter(name -> !name.equals(".lock"))
          .sorted()
          .toList();
    }
  }

  /** Does something to the disk. */
  void change(Random random, int changes) {
    for (int i = 0; i < changes; i++) {
      long offset = (random.nextLong() >>> 1) % disk.sizeBytes();
      // Most of it near each other, so that something is written twice.
      if (random.nextInt(4) != 0) {
        offset = offset % (4 << 20) + (disk.sizeBytes() - (4 << 20)) / 3 * random.nextInt(4);
      }
      long block = offset / SparseDisk.BLOCK * SparseDisk.BLOCK;
      switch (random.nextInt(8)) {
        case 0 -> disk.put(offset, random(random, 1 + random.nextInt(9_000)));
        case 1 -> disk.zero(block, SparseDisk.BLOCK * (1 + random.nextInt(40)));
        case 2 -> disk.punch(block, SparseDisk.BLOCK * (1 + random.nextInt(40)));
        case 3 -> disk.put(block, random(random, (1 << 17) * (1 + random.nextInt(4))));
        case 4 -> disk.put(block, Bytes.repeated('c', SparseDisk.BLOCK * 50));
        case 5 -> rewrite(block);
        default -> disk.put(block, random(random, SparseDisk.BLOCK));
      }
    }
  }

  private void rewrite(long block) {
    var content = java.nio.ByteBuffer.allocate(SparseDisk.BLOCK);
    if (block + SparseDisk.BLOCK <= disk.sizeBytes()) {
      disk.read(block, content);
      disk.put(block, content.array());
    }
  }

  static byte[] random(Random random, int bytes) {
    byte[] content = new byte[bytes];
    random.nextBytes(content);
    return content;
  }
}
