package blksnap.backup;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.qcow2.Compression;
import blksnap.testing.Seeds;
import java.io.IOException;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.io.TempDir;

/** Chains of backups of a disk that changes at random, against what the disk was. */
class BackupChainTest {
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
}
