package blksnap.backup;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.qcow2.Compression;
import blksnap.testing.Seeds;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Chains of backups of a disk that changes at random, against what the disk was. */
class BackupChainTest {
  private static final int MIB = 1 << 20;
  private static final long GIB = 1L << 30;

  @TempDir private Path directory;

  @RepeatedTest(2)
  void everyPointOfARandomChainIsWhatTheDiskWas() throws IOException {
    var seed = Seeds.ofRun();
    Random random = seed.random();
    var world = new BackupWorld(directory, 2 * GIB + 512L * (1 + random.nextInt(100_000)));
    Compression[] compressions = Compression.values();
    world.change(random, 40);
    for (int generation = 0; generation < 10; generation++) {
      boolean byMap = random.nextInt(4) != 0;
      if (random.nextInt(5) == 0) {
        long size = GIB + 512L * random.nextInt(4 << 20);
        byMap &= size > world.disk.sizeBytes();
        world.disk.resize(size);
      }
      var options =
          new BackupOptions(
              random.nextInt(12) == 0,
              compressions[random.nextInt(compressions.length)],
              false,
              BackupOptions.Load.DEFAULT);
      world.backup(options, byMap);
      world.change(random, random.nextInt(30));
    }
    world.requireAllGood(seed.toString());

    var policy = new Prune.Policy(1 + random.nextInt(3), random.nextInt(3), 2, 1);
    Prune.Pruned pruned =
        new Prune(
                world.store, BackupWorld.DEVICE, policy, ZoneOffset.UTC, BackupOptions.Load.DEFAULT)
            .run();
    assertThat(world.points().all().stream().map(Manifest::name))
        .as("%s", seed)
        .containsExactlyElementsOf(pruned.kept().stream().map(Manifest::name).toList());
    world.requireAllGood(seed + " pruned");
    List<String> files = world.files();
    assertThat(files.stream().filter(file -> file.endsWith(".hash")))
        .as("%s", seed)
        .hasSize(pruned.kept().size());
    assertThat(files).as("%s", seed).noneMatch(file -> file.endsWith(".part"));

    world.backup(BackupWorld.PLAIN, true);
    world.requireAllGood(seed + " goes on");
  }

  @Test
  void whatIsDataIsReadOnceAndNeitherHolesNorZeroesAreStored() throws IOException {
    Random random = Seeds.ofRun().random();
    var world = new BackupWorld(directory, GIB);
    world.disk.put(3 * MIB, BackupWorld.random(random, MIB));
    world.disk.zero(100 * MIB, MIB);
    requireCounts(world, world.backup(BackupWorld.PLAIN, false), 2 * MIB, MIB, MIB);
    requireCounts(world, world.backup(BackupWorld.PLAIN, false), 2 * MIB, 0, 0);

    world.disk.zero(3 * MIB, MIB / 2);
    world.disk.punch(3 * MIB + MIB / 2, MIB / 4);
    Manifest zeroed = world.backup(BackupWorld.PLAIN, true);
    requireCounts(world, zeroed, MIB / 2, MIB / 4 * 3, 0);
    world.disk.punch(0, (int) (GIB - MIB));
    requireCounts(world, world.backup(BackupWorld.PLAIN, true), 0, MIB / 4, 0);
    world.requireAllGood("sparse");
  }

  /** Bytes that were read from the disk, what the manifest tells of them, and what is stored. */
  private static void requireCounts(
      BackupWorld world, Manifest point, long read, long changed, long stored) throws IOException {
    assertThat(world.model(point.name()).readBytes()).isEqualTo(read);
    assertThat(point.readBytes()).isEqualTo(read);
    assertThat(point.changedBytes()).isEqualTo(changed);
    assertThat(point.file().storedBytes()).isEqualTo(stored);
    assertThat(Files.size(world.path(point.dataFile()))).isBetween(stored, stored + MIB);
  }
}
