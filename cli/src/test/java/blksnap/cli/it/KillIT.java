package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.LoopDevice;
import blksnap.testing.Seeds;
import blksnap.testing.Stamps;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/** The daemon is killed at any moment and started again; and ends in order when it is asked to. */
@Timeout(600)
final class KillIT {
  private static final int MIB = 1 << 20;
  private static final int SIZE = 16 * MIB;
  private static final int ROUNDS = 15;
  private static final int LONG_ROUNDS = 200;
  private static final System.Logger LOG = System.getLogger(KillIT.class.getName());

  /** Stays when a test fails: what is in it does not come back. */
  @TempDir(cleanup = CleanupMode.ON_SUCCESS)
  private Path directory;

  private final Seeds seeds = Seeds.ofRun();
  private Lab lab;
  private Path storage;

  @BeforeEach
  void load() throws Exception {
    lab = new Lab(directory);
    storage = Files.createDirectory(lab.path("storage"));
    lab.load();
  }

  @AfterEach
  void end() {
    lab.close();
  }

  private void take(String name, String durability, String... devices) {
    var words = new ArrayList<>(List.of("snapshot", "create"));
    words.addAll(List.of(devices));
    words.addAll(List.of("--storage", storage.toString(), "--name", name));
    words.addAll(List.of("--durability", durability, "--take"));
    lab.ok(words.toArray(String[]::new));
  }

  /**
   * Fifteen of what {@code -Plong} does two hundred times; {@code -Dblksnap.kill.rounds} asks for
   * another number.
   */
  @Test
  void everythingIsBackAfterAKillAtAnyMoment() throws Exception {
    endure(ROUNDS);
  }

  @Test
  @Tag("long")
  @Timeout(value = 2, unit = TimeUnit.HOURS)
  void everythingIsBackAfterTwoHundredKills() throws Exception {
    endure(Integer.getInteger("blksnap.kill.rounds", LONG_ROUNDS));
  }

  /** On a file and, where there is one, a block device. */
  private void endure(int rounds) throws Exception {
    Path first = lab.sparse("vm1.img", KillHarness.sizeBytes());
    Path second = lab.sparse("vm2.img", KillHarness.sizeBytes());
    lab.unload();
    if (LoopDevice.preferred()) {
      try (LoopDevice loop = LoopDevice.attach(second, 512)) {
        endure(rounds, List.of(first, loop.path()));
      }
    } else {
      endure(rounds, List.of(first, second));
    }
  }

  private void endure(int rounds, List<Path> devices) throws Exception {
    try (var killLab = new Lab(Files.createDirectory(lab.path("kill")));
        var harness = new KillHarness(killLab, seeds, devices)) {
      try {
        harness.run(rounds);
      } finally {
        LOG.log(Level.INFO, harness.summary());
      }
    }
  }

  @Test
  void aSecondEngineIsRefusedAndTheFirstGoesOnAlsoAfterAKill() throws Exception {
    lab.kill();
    assertThat(lab.nbdSocket()).as("a stale socket").exists();
    assertThat(lab.run().resolve("ctrl.sock")).as("a stale socket").exists();
    lab.load();
    ProcessHandle first = lab.daemon();
    try (Background second = lab.launch()) {
      assertThat(second.await()).isEqualTo(1);
      assertThat(second.output()).contains("EEXIST");
    }
    assertThat(lab.daemon()).isEqualTo(first);
    lab.unload();
  }

  private void assertNoSnapshotFiles() throws IOException {
    for (String kind : List.of("snapshots", "storages")) {
      Path home = lab.state().resolve(kind);
      if (Files.exists(home)) {
        try (Stream<Path> left = Files.list(home)) {
          assertThat(left).as("%s, %s", kind, seeds).isEmpty();
        }
      }
    }
  }

  @Test
  void aSnapshotKilledWhileItIsDestroyedIsThereOrGoneAndNeverWrong() throws Exception {
    Random random = seeds.random();
    lab.ok("attach", lab.disk("vm1.img", SIZE).toString(), "--name", "vm1");
    int gone = 0;
    for (int round = 0; round < 6; round++) {
      String which = "round " + round + ", " + seeds;
      Map<String, byte[]> images = new LinkedHashMap<>();
      for (String name : List.of("old", "middle", "new")) {
        take(name, "process", "vm1");
        images.put(name, lab.content("vm1@" + name));
        try (NbdSession session = NbdSession.open(lab.nbdSocket(), "vm1")) {
          // From its start, and each time less, so that areas hand blocks to their neighbours.
          byte[] content = new byte[SIZE / (1 + images.size())];
          random.nextBytes(content);
          session.write(0, content);
        }
      }
      byte[] original = lab.content("vm1");
      String victim = List.of("new", "middle", "old").get(round % 3);
      Thread destroyer =
          Thread.ofPlatform()
              .name("destroyer")
              .start(() -> lab.command("snapshot", "destroy", victim));
      Lab.pause(random.nextInt(25));
      lab.kill();
      destroyer.join();
      lab.load();
      if (lab.command("snapshot", "info", victim).code() != 0) {
        gone++;
        assertThat(lab.refused("snapshot", "info", victim)).as(which).contains("ESRCH");
        images.remove(victim);
      }
      for (Map.Entry<String, byte[]> image : images.entrySet()) {
        assertThat(Arrays.mismatch(lab.content("vm1@" + image.getKey()), image.getValue()))
            .as("first different byte of %s without %s, %s", image.getKey(), victim, which)
            .isEqualTo(-1);
      }
      assertThat(Arrays.mismatch(lab.content("vm1"), original)).as(which).isEqualTo(-1);
      for (String name : images.keySet()) {
        lab.ok("snapshot", "destroy", name);
      }
      assertThat(storage).as("%d were gone, %s", gone, which).isEmptyDirectory();
    }
    lab.unload();
    assertNoSnapshotFiles();
  }

  @Test
  void signalsEndItInOrderWithCodeZeroAndLeaveNoSnapshotNorSocket() throws Exception {
    lab.ok("attach", lab.disk("vm1.img", MIB).toString(), "--name", "vm1");
    lab.unload();
    for (String signal : List.of("-TERM", "-INT")) {
      try (Background engine = lab.launch("--foreground")) {
        Lab.until("the engine serves", () -> Files.exists(lab.run().resolve("pid")));
        assertThat(lab.daemon().pid()).isEqualTo(engine.pid());
        take("s", "process", "vm1");
        byte[] image = lab.content("vm1@s");
        try (NbdSession session = NbdSession.open(lab.nbdSocket(), "vm1")) {
          byte[] content = Stamps.content(signal.hashCode(), Lab.BLOCK);
          session.write(0, content);
          assertThat(session.read(0, Lab.BLOCK)).isEqualTo(content);
        }
        assertThat(Arrays.mismatch(lab.content("vm1@s"), image)).isEqualTo(-1);
        lab.program("kill", signal, Long.toString(engine.pid()));
        assertThat(engine.await()).as(engine.output()).isZero();
      }
      assertThat(lab.run().resolve("pid")).doesNotExist();
      assertThat(lab.run().resolve("ctrl.sock")).doesNotExist();
      assertThat(lab.nbdSocket()).doesNotExist();
      assertThat(storage).isEmptyDirectory();
      assertNoSnapshotFiles();
    }
    lab.load();
    assertThat(lab.ok("devices", "-o", "plain")).startsWith("vm1\t");
    lab.unload();
  }
}
