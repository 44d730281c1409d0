package blksnap.backup;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Seeds;
import java.io.IOException;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A kill before each change of the store in turn, and what the next process finds. */
class BackupKillTest {
  private static final long DISK = 64 << 20;

  @TempDir private Path directory;

  @Test
  void aKilledBackupLeavesTheEarlierPointsAndTheNextOneGoesOnFromTheLast() throws IOException {
    var seed = Seeds.ofRun();
    Random random = seed.random();
    var world = new BackupWorld(directory, DISK);
    world.change(random, 20);
    world.backup(BackupWorld.PLAIN, false);
    int points = 1;
    for (int kill = 0; ; kill++) {
      world.change(random, 5);
      var store = new DyingStore(world.store, kill);
      boolean made = backUpByContent(world, store);
      if (made) {
        points++;
      }
      assertThat(world.points().all()).as("killed at %s, %s", kill, seed).hasSize(points);
      Manifest next = world.backup(BackupWorld.PLAIN, false);
      points++;
      assertThat(next.kind()).isEqualTo(Manifest.Kind.INCREMENT);
      assertThat(world.files()).as("%s", seed).noneMatch(file -> file.endsWith(".part"));
      assertThat(world.files()).as("killed at %s, %s", kill, seed).hasSize(3 * points);
      world.requireGood(next.name(), seed.toString());
      if (made) {
        break;
      }
    }
    world.requireAllGood(seed.toString());
  }

  /** Whether it became a point. */
  private static boolean backUpByContent(BackupWorld world, DyingStore store) throws IOException {
    try {
      var _ = world.backUpByContent(store, world.models);
      return true;
    } catch (IOException e) {
      assertThat(store.isDead()).as("%s", e).isTrue();
      return false;
    }
  }

  @Test
  void aKilledPruneLeavesEveryPointThatIsKeptWhole() throws IOException {
    var seed = Seeds.ofRun();
    for (int kill = 0; ; kill++) {
      Random random = seed.random();
      var world =
          new BackupWorld(java.nio.file.Files.createDirectory(directory.resolve("k" + kill)), DISK);
      world.change(random, 30);
      for (int i = 0; i < 5; i++) {
        world.backup(BackupWorld.PLAIN, i > 0);
        world.change(random, 5);
      }
      List<Manifest> all = world.points().all();
      var policy = new Prune.Policy(2, 0, 0, 0);
      boolean done = prune(new DyingStore(world.store, kill), policy);
      for (Manifest kept : all.subList(3, 5)) {
        world.requireGood(kept.name(), "killed at " + kill + ", " + seed);
      }
      for (Manifest left : world.points().all()) {
        world.requireGood(left.name(), "killed at " + kill + ", " + seed);
      }
      assertThat(prune(new DyingStore(world.store, Integer.MAX_VALUE), policy)).isTrue();
      assertThat(world.points().all()).hasSize(2);
      assertThat(world.files()).as("killed at %s, %s", kill, seed).hasSize(6);
      world.requireAllGood(seed.toString());
      if (done) {
        return;
      }
    }
  }

  private static boolean prune(DyingStore store, Prune.Policy policy) throws IOException {
    try {
      new Prune(store, BackupWorld.DEVICE, policy, ZoneOffset.UTC, BackupOptions.Load.DEFAULT)
          .run();
      return true;
    } catch (IOException e) {
      assertThat(store.isDead()).as("%s", e).isTrue();
      return false;
    }
  }
}
