package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Seeds;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The daemon is killed at any moment and started again; and ends in order when it is asked to. */
@Timeout(300)
final class KillIT {
  private static final int MIB = 1 << 20;
  private static final int SIZE = 16 * MIB;
  private static final int BLOCKS = SIZE / Lab.BLOCK;
  private static final int WRITERS = 8;
  private static final int ROUNDS = 10;
  private static final int MAX_HELD = 3;
  private static final List<String> DEVICES = List.of("vm1", "vm2");
  private static final Pattern GENERATION = Pattern.compile("\"generation_id\":\"([^\"]+)\"");

  @TempDir private Path directory;

  private final Seeds seeds = Seeds.fromPropertyOrRandom();
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

  private String generation(String device) {
    Matcher matcher = GENERATION.matcher(lab.ok("cbt", "info", device, "-o", "json"));
    assertThat(matcher.find()).isTrue();
    return matcher.group(1);
  }

  /** What one device's writers know: the last stamp that each block may hold, and must hold. */
  private static final class Ledger {
    /** Acknowledged; element {@code b} is of block {@code b}. Each block has one writer. */
    final long[] held = new long[BLOCKS];

    /** Sent and not acknowledged when the daemon was killed, or 0. */
    final long[] maybe = new long[BLOCKS];

    /** Acknowledged since the latest take. */
    final boolean[] since = new boolean[BLOCKS];
  }

  private static byte[] stamped(long stamp) {
    ByteBuffer content = ByteBuffer.allocate(Lab.BLOCK);
    while (content.hasRemaining()) {
      content.putLong(stamp);
    }
    return content.array();
  }

  /** Writes until the daemon is gone. */
  private static int write(NbdSession session, Ledger ledger, int round, int lane, Random random) {
    int lanes = WRITERS / DEVICES.size();
    int acknowledged = 0;
    while (true) {
      int block = random.nextInt(BLOCKS / lanes) * lanes + lane;
      long stamp = (long) round << 48 | (long) (acknowledged + 1) << 8 | lane;
      ledger.maybe[block] = stamp;
      try {
        session.write((long) block * Lab.BLOCK, stamped(stamp));
      } catch (IOException e) { // killed
        return acknowledged;
      }
      ledger.held[block] = stamp;
      ledger.maybe[block] = 0;
      ledger.since[block] = true;
      acknowledged++;
    }
  }

  @Test
  void everythingIsBackAfterAKillAtAnyMoment() throws Exception {
    Random random = seeds.random();
    List<Ledger> ledgers = new ArrayList<>();
    List<String> generations = new ArrayList<>();
    for (String device : DEVICES) {
      lab.ok("attach", lab.sparse(device + ".img", SIZE).toString(), "--name", device);
      ledgers.add(new Ledger());
      generations.add(generation(device));
    }
    String devices = lab.ok("devices", "-o", "plain");
    Map<String, List<byte[]>> images = new LinkedHashMap<>();
    for (int round = 0; round < ROUNDS; round++) {
      String which = "round " + round + ", " + seeds;
      boolean volatileFirst = random.nextBoolean();
      if (volatileFirst) {
        take("volatile", "none", "vm1", "vm2");
      }
      take("r" + round, "process", "vm1", "vm2");
      ledgers.forEach(ledger -> Arrays.fill(ledger.since, false));
      if (!volatileFirst) {
        take("volatile", "none", "vm1", "vm2");
      }
      killUnderLoad(round, ledgers, images, random);
      assertThat(lab.nbdSocket()).as("a stale socket").exists();
      assertThat(lab.run().resolve("ctrl.sock")).as("a stale socket").exists();

      lab.load();
      if (round == 0) {
        refusesASecondEngine();
      }
      assertThat(lab.ok("devices", "-o", "plain")).as(which).isEqualTo(devices);
      assertThat(DEVICES.stream().map(this::generation).toList()).as(which).isEqualTo(generations);
      assertThat(lab.refused("snapshot", "info", "volatile")).as(which).contains("ESRCH");
      for (Map.Entry<String, List<byte[]>> image : images.entrySet()) {
        assertThat(lab.ok("cat", "/sys/fs/blksnap/" + image.getKey() + "/state"))
            .as(which)
            .isEqualTo("taken");
        assertImages(image.getKey(), image.getValue(), which);
      }
      for (int d = 0; d < DEVICES.size(); d++) {
        settle(ledgers.get(d), lab.content(DEVICES.get(d)), which);
        boolean[] changed = lab.changed(DEVICES.get(d), SIZE, "--since", "r" + round);
        for (int block = 0; block < BLOCKS; block++) {
          if (ledgers.get(d).since[block]) {
            assertThat(changed[block]).as("block %d is missed, %s", block, which).isTrue();
          }
        }
      }
      while (images.size() > MAX_HELD || (!images.isEmpty() && random.nextInt(3) == 0)) {
        List<String> held = new ArrayList<>(images.keySet());
        String gone = held.get(random.nextInt(held.size()));
        lab.ok("snapshot", "destroy", gone);
        images.remove(gone);
      }
    }
    for (String snapshot : images.keySet()) {
      lab.ok("snapshot", "destroy", snapshot);
    }
    assertThat(storage).isEmptyDirectory();
    lab.unload();
    assertNoSnapshotFiles();
  }

  private void refusesASecondEngine() throws Exception {
    ProcessHandle first = lab.daemon();
    try (Background second = lab.launch()) {
      assertThat(second.await()).isEqualTo(1);
      assertThat(second.output()).contains("EEXIST");
    }
    assertThat(lab.daemon()).isEqualTo(first);
  }

  /** Adds the images of this round's snapshot, which are read while the writers run. */
  private void killUnderLoad(
      int round, List<Ledger> ledgers, Map<String, List<byte[]>> images, Random random)
      throws Exception {
    List<NbdSession> sessions = new ArrayList<>();
    List<Future<Integer>> writers = new ArrayList<>();
    try (ExecutorService threads = Executors.newFixedThreadPool(WRITERS)) {
      for (int i = 0; i < WRITERS; i++) {
        int device = i % DEVICES.size();
        int lane = i / DEVICES.size();
        NbdSession session = NbdSession.open(lab.nbdSocket(), DEVICES.get(device));
        sessions.add(session);
        Random choices = seeds.random(round * WRITERS + i);
        writers.add(
            threads.submit(() -> write(session, ledgers.get(device), round, lane, choices)));
      }
      try {
        String snapshot = "r" + round;
        List<byte[]> content = new ArrayList<>();
        for (String device : DEVICES) {
          content.add(lab.content(device + "@" + snapshot));
        }
        images.put(snapshot, content);
        Lab.pause(random.nextInt(300));
      } finally {
        lab.kill();
        for (Future<Integer> writer : writers) {
          assertThat(writer.get()).as("%s", seeds).isPositive();
        }
        for (NbdSession session : sessions) {
          session.close();
        }
      }
    }
  }

  private void assertImages(String snapshot, List<byte[]> content, String which)
      throws IOException {
    for (int d = 0; d < DEVICES.size(); d++) {
      assertThat(Arrays.mismatch(lab.content(DEVICES.get(d) + "@" + snapshot), content.get(d)))
          .as("first different byte of %s of %s, %s", DEVICES.get(d), snapshot, which)
          .isEqualTo(-1);
    }
  }

  /** Every block holds what was acknowledged last, or a later write that was under way. */
  private static void settle(Ledger ledger, byte[] content, String which) {
    for (int block = 0; block < BLOCKS; block++) {
      byte[] shown = Arrays.copyOfRange(content, block * Lab.BLOCK, (block + 1) * Lab.BLOCK);
      if (ledger.maybe[block] != 0 && !Arrays.equals(shown, stamped(ledger.held[block]))) {
        // A page of the cache takes a whole block, or none of it.
        ledger.held[block] = ledger.maybe[block];
        ledger.since[block] = true;
      }
      ledger.maybe[block] = 0;
      assertThat(Arrays.equals(shown, stamped(ledger.held[block])))
          .as("block %d is what was acknowledged, %s", block, which)
          .isTrue();
    }
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
          byte[] content = stamped(signal.hashCode());
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
