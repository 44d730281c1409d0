package blksnap.backup;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.qcow2.Compression;
import blksnap.testing.Seeds;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is done with backups that somebody, or a disk, has changed. */
class BackupDamageTest {
  private static final long DISK = 32 << 20;
  private static final int FLIPS = 60;

  @TempDir private Path directory;
  private final Seeds seed = Seeds.ofRun();
  private final Random random = seed.random();
  private BackupWorld world;
  private Manifest full;
  private Manifest increment;

  @BeforeEach
  void backUpTwice() throws IOException {
    world = new BackupWorld(directory, DISK);
    world.change(random, 20);
    full =
        world.backup(
            new BackupOptions(false, Compression.DEFLATE, false, BackupOptions.Load.DEFAULT),
            false);
    world.change(random, 10);
    increment = world.backup(BackupWorld.PLAIN, true);
  }

  private Path file(Manifest point, String ending) {
    return world.path(point.name() + ending);
  }

  private static void flip(Path path, long offset) throws IOException {
    try (var file = new RandomAccessFile(path.toFile(), "rw")) {
      file.seek(offset);
      int old = file.read();
      file.seek(offset);
      file.write(old ^ 0x40);
    }
  }

  private Optional<BlkSnapException> verify(Manifest point) throws IOException {
    DevicePoints points = world.points();
    return new Verification(world.store, points, BackupOptions.Load.DEFAULT)
        .verify(points.find(point.name()));
  }

  @Test
  void aFlippedBitIsFoundOrDoesNotMatter() throws IOException {
    int found = 0;
    for (int i = 0; i < FLIPS; i++) {
      Manifest point = random.nextBoolean() ? full : increment;
      String hashes = PointNames.hashes("", point.file().id());
      Path path = file(point, random.nextInt(4) == 0 ? hashes : ".qcow2");
      long offset = random.nextLong(Files.size(path));
      flip(path, offset);
      Optional<BlkSnapException> wrong = verify(increment);
      if (wrong.isPresent()) {
        assertThat(wrong.get().errno()).isEqualTo(Errno.EBADMSG);
        found++;
      } else {
        Path restored = world.restore(increment.name());
        assertThat(world.model(increment.name()).mismatch(restored))
            .as("flip at %s of %s, %s", offset, path, seed)
            .isEqualTo(-1);
      }
      flip(path, offset);
    }
    assertThat(found).as("%s", seed).isPositive();
    assertThat(verify(increment)).isEmpty();
  }

  @Test
  void aFlippedBitOfContentIsNamedAndNotRestored() throws IOException {
    Path path = file(increment, ".qcow2");
    long size = Files.size(path);
    int hits = 0;
    // The content of the increment is what lies behind the four clusters of its own tables.
    for (long at = 4L << 17; at < size && hits == 0; at += 4096) {
      flip(path, at);
      if (verify(increment).isPresent()) {
        hits++;
        Path target = world.newFile();
        DevicePoints points = world.points();
        var restore =
            new Restore(
                points,
                points.find(increment.name()),
                new Restore.Way(false, false),
                BackupOptions.Load.DEFAULT);
        refused(Errno.EBADMSG, () -> restore.to(target), "damaged");
        assertThat(Verification.last(world.store, increment).orElseThrow().damage()).isPresent();
      }
      flip(path, at);
    }
    assertThat(hits).isEqualTo(1);
    assertThat(verify(full)).isEmpty();
  }

  @Test
  void aDamagedChainIsNamedAndNeverExtended() throws IOException {
    Path base = file(full, ".qcow2");
    Path kept = world.newFile();
    Files.copy(base, kept);
    List<Damage> damages =
        List.of(
            () -> Files.delete(base),
            () -> flip(base, 3),
            () -> flip(base, 25),
            () -> flip(base, 125), // within the file's id
            () -> Files.copy(file(increment, ".qcow2"), base, StandardCopyOption.REPLACE_EXISTING),
            () -> {
              try (var file = new RandomAccessFile(base.toFile(), "rw")) {
                file.setLength(file.length() / 2);
              }
            });
    for (Damage damage : damages) {
      damage.make();
      BlkSnapException refusal =
          refused(
              Errno.EBADMSG, () -> world.backup(BackupWorld.PLAIN, false), "cannot be extended");
      assertThat(refusal.sentence()).contains(full.name());
      assertThat(refusal.hint()).contains("--full");
      Files.copy(kept, base, StandardCopyOption.REPLACE_EXISTING);
    }
    world.backup(BackupWorld.PLAIN, false);
    world.requireAllGood(seed.toString());
  }

  @FunctionalInterface
  private interface Damage {
    void make() throws IOException;
  }

  @Test
  void aDamagedManifestIsListedAndItsFilesAreLeftAlone() throws IOException {
    Path manifest = file(increment, ".json");
    String text = Files.readString(manifest);
    Files.writeString(manifest, text.replace("\"sequence\":2", "\"sequence\":7"));
    assertThat(world.points().damaged()).containsOnlyKeys(increment.name());
    refused(Errno.EBADMSG, () -> world.points().find(increment.name()), "bad checksum");
    refused(Errno.EBADMSG, () -> world.backup(BackupWorld.PLAIN, false), "bad checksum");

    world.backup(BackupWorld.full(), false);
    assertThat(file(increment, ".qcow2")).exists();
    Files.writeString(manifest, text);
    world.requireAllGood(seed.toString());
  }

  @Test
  void aDataFileThatOthersLeanOnStaysWhenItsManifestIsLost() throws IOException {
    Files.delete(file(full, ".json"));
    refused(Errno.EBADMSG, () -> world.backup(BackupWorld.PLAIN, false), full.name(), "missing");
    assertThat(file(full, ".qcow2")).exists();
  }

  @Test
  void backupsOfAnotherDiskAreNotExtended() {
    refused(
        Errno.EINVAL,
        () ->
            DeviceBackup.begin(
                world.store, BackupWorld.DEVICE, "/srv/other.img", BackupWorld.PLAIN),
        "/srv/vm1.img",
        "/srv/other.img");
  }

  @Test
  void aSecondBackupAtOnceIsRefused() throws IOException {
    try (DeviceBackup first =
        DeviceBackup.begin(world.store, BackupWorld.DEVICE, BackupWorld.PATH, BackupWorld.PLAIN)) {
      assertThat(first.parent()).isPresent();
      refused(
          Errno.EBUSY,
          () -> world.backup(BackupWorld.PLAIN, false),
          "being changed by another process");
    }
    world.backup(BackupWorld.PLAIN, false);
  }
}
