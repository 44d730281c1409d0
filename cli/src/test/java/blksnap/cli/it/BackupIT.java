package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Bytes;
import blksnap.testing.LoopDevice;
import blksnap.testing.LoopFileSystem;
import blksnap.testing.Seeds;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Backups of disks that are served by a daemon, or that nobody serves; QEMU judges the images. */
@Timeout(300)
final class BackupIT {
  private static final int MIB = 1 << 20;
  private static final int SIZE = 32 * MIB;

  @TempDir private Path directory;

  private final Seeds seed = Seeds.ofRun();
  private Lab lab;
  private Path disk;

  @BeforeEach
  void make() throws IOException {
    Lab.need("qemu-img");
    lab = new Lab(directory);
    disk = lab.disk("vm1.img", SIZE);
  }

  @AfterEach
  void end() {
    lab.close();
  }

  private void attach() throws Exception {
    lab.load();
    lab.ok("attach", disk.toString(), "--name", "vm1");
  }

  private String to() {
    return lab.path("backups").toString();
  }

  private Path deviceDirectory(String device) {
    return lab.path("backups").resolve(device);
  }

  /** Backs the device up; the name of its point. */
  private String backUp(String... options) {
    var words = new ArrayList<>(List.of("backup", "vm1", "--to", to(), "-o", "plain"));
    words.addAll(List.of("--storage", directory.toString()));
    words.addAll(List.of(options));
    return lab.ok(words.toArray(String[]::new)).split("\t", -1)[0].split("/", -1)[1];
  }

  /** Oldest first: the second point of one second is called like the first, and more. */
  private List<String> images(String device) throws IOException {
    String ending = ".qcow2";
    try (Stream<Path> files = Files.list(deviceDirectory(device))) {
      return files
          .map(Path::toString)
          .filter(file -> file.endsWith(ending))
          .sorted(Comparator.comparing(file -> file.substring(0, file.length() - ending.length())))
          .toList();
    }
  }

  private void requireImage(String point, byte[] content) throws Exception {
    Path model = Files.write(lab.path("model"), content);
    Path image = deviceDirectory("vm1").resolve(point + ".qcow2");
    assertThat(lab.program("qemu-img", "check", image.toString())).contains("No errors");
    lab.program(
        "qemu-img", "compare", "-f", "raw", "-F", "qcow2", model.toString(), image.toString());
    lab.ok("restore", image.toString(), "--to", lab.path("restored").toString());
    assertThat(Files.mismatch(model, lab.path("restored"))).as("%s %s", point, seed).isEqualTo(-1);
    Files.delete(lab.path("restored"));
  }

  @Test
  void tenGenerationsOfALiveDiskAreEachWhatItWas() throws Exception {
    attach();
    Random random = seed.random();
    byte[] content = Files.readAllBytes(disk);
    Map<String, byte[]> models = new HashMap<>();
    List<String> points = new ArrayList<>();
    try (NbdSession session = NbdSession.open(lab.nbdSocket(), "vm1")) {
      for (int generation = 0; generation < 10; generation++) {
        String point =
            switch (generation % 3) {
              case 0 -> backUp();
              case 1 -> backUp("--compress");
              default -> backUp("--compression", "zstd");
            };
        points.add(point);
        models.put(point, content.clone());
        for (int i = 0; i < 40; i++) {
          byte[] fresh =
              i % 5 == 0 ? new byte[8192] : Bytes.pattern(generation, i, 1 + random.nextInt(9000));
          int at = random.nextInt(SIZE - fresh.length);
          session.write(at, fresh);
          System.arraycopy(fresh, 0, content, at, fresh.length);
        }
      }
    }
    String list = lab.ok("backups", to(), "-o", "plain");
    assertThat(list.lines()).hasSize(10);
    assertThat(list.lines().skip(1)).allSatisfy(line -> assertThat(line).contains("increment"));
    assertThat(lab.ok("verify", to()).lines())
        .hasSize(10)
        .allSatisfy(line -> assertThat(line).endsWith(": good"));
    for (String point : points) {
      requireImage(point, Objects.requireNonNull(models.get(point)));
    }

    lab.ok("prune", to(), "--keep-last", "4");
    assertThat(lab.ok("backups", to(), "-o", "plain").lines()).hasSize(4);
    for (String point : points.subList(6, 10)) {
      requireImage(point, Objects.requireNonNull(models.get(point)));
    }
    String last = backUp();
    requireImage(last, content);
    lab.ok("verify", to());
    lab.ok("detach", "vm1");
    lab.unload();
  }

  @Test
  void aBackupOfADiskThatIsWrittenToIsOneMoment() throws Exception {
    attach();
    int blocks = 1024;
    List<Integer> log = new ArrayList<>();
    var over = new AtomicBoolean();
    Thread writer =
        Thread.ofPlatform().name("writer").start(() -> stamp(List.of("vm1"), blocks, log, over));
    try {
      for (int i = 0; i < 3; i++) {
        String point = backUp();
        Path restored = lab.path("moment");
        lab.ok("restore", to() + "/vm1/" + point, "--to", restored.toString());
        requireOneMoment(List.of(ByteBuffer.wrap(Files.readAllBytes(restored))), blocks, log);
        Files.delete(restored);
      }
    } finally {
      over.set(true);
      writer.join();
    }
  }

  @Test
  void devicesThatAreWrittenToInTurnAreBackedUpAtOneMoment() throws Exception {
    attach();
    lab.ok("attach", lab.disk("data.img", 8 * MIB).toString(), "--name", "data");
    int blocks = 1024; // of both
    List<String> devices = List.of("vm1", "data");
    List<Integer> log = new ArrayList<>();
    var over = new AtomicBoolean();
    Thread writer =
        Thread.ofPlatform().name("writer").start(() -> stamp(devices, blocks, log, over));
    List<String> runs = new ArrayList<>();
    try {
      for (int i = 0; i < 3; i++) {
        String json = backUpBoth();
        JsonObject made = JsonParser.parseString(json.lines().toList().getLast()).getAsJsonObject();
        runs.add(made.get("run").getAsString());
        List<ByteBuffer> restored = new ArrayList<>();
        for (String device : devices) {
          Path file = lab.path("moment-" + device);
          lab.ok("restore", to() + "/" + device, "--to", file.toString());
          restored.add(ByteBuffer.wrap(Files.readAllBytes(file)));
          Files.delete(file);
        }
        requireOneMoment(restored, blocks, log);
      }
    } finally {
      over.set(true);
      writer.join();
    }
    JsonObject list =
        JsonParser.parseString(lab.ok("backups", to(), "-o", "json")).getAsJsonObject();
    Map<String, List<String>> found = new HashMap<>();
    for (JsonElement point : list.getAsJsonArray("points")) {
      found
          .computeIfAbsent(
              point.getAsJsonObject().get("device").getAsString(), _ -> new ArrayList<>())
          .add(point.getAsJsonObject().get("run").getAsString());
    }
    assertThat(found).isEqualTo(Map.of("vm1", runs, "data", runs));
    assertThat(runs).doesNotHaveDuplicates();
  }

  private String backUpBoth() {
    return lab.ok(
        "backup", "vm1", "data", "--to", to(), "--storage", directory.toString(), "-o", "json");
  }

  /**
   * Writes blocks one after the other, each with its number in the order of writes; of several
   * devices each has a block in turn.
   */
  private void stamp(List<String> devices, int blocks, List<Integer> log, AtomicBoolean over) {
    Random random = seed.random();
    List<NbdSession> sessions = new ArrayList<>();
    try {
      for (String device : devices) {
        sessions.add(NbdSession.open(lab.nbdSocket(), device));
      }
      while (!over.get()) {
        int block = random.nextInt(blocks);
        int number;
        synchronized (log) {
          log.add(block);
          number = log.size();
        }
        byte[] content = ByteBuffer.allocate(Lab.BLOCK).putInt(0x5741_4d50).putInt(number).array();
        int device = block % devices.size();
        sessions.get(device).write((long) (block / devices.size()) * Lab.BLOCK, content);
      }
      for (NbdSession session : sessions) {
        session.close();
      }
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** There is a moment before which every write is there, and none after; one may be on its way. */
  private void requireOneMoment(List<ByteBuffer> images, int blocks, List<Integer> log) {
    int latest = 0;
    int[] found = new int[blocks];
    for (int block = 0; block < blocks; block++) {
      ByteBuffer image = images.get(block % images.size());
      int at = block / images.size() * Lab.BLOCK;
      boolean stamped = image.getInt(at) == 0x5741_4d50;
      found[block] = stamped ? image.getInt(at + 4) : 0;
      latest = Math.max(latest, found[block]);
    }
    int[] expected = new int[blocks];
    synchronized (log) {
      for (int number = 1; number <= latest; number++) {
        expected[log.get(number - 1)] = number;
      }
    }
    assertThat(found).as("%s", seed).isEqualTo(expected);
  }

  @Test
  void withoutAnEngineAFileIsBackedUpByItself() throws Exception {
    String[] command = {Lab.launcher(), "backup", disk.toString(), "--to", to()};
    try (Background backup = lab.start(lab.variables(), command)) {
      assertThat(backup.awaitSuccess()).contains("full", "32M read");
    }
    assertThat(lab.run().resolve("ctrl.sock")).doesNotExist();
    try (Background backup = lab.start(lab.variables(), command)) {
      assertThat(backup.awaitSuccess()).contains("increment by the change map", "0B read");
    }
    byte[] content = Files.readAllBytes(disk);
    System.arraycopy(Bytes.pattern(1, 0, 5000), 0, content, MIB, 5000);
    Files.write(disk, content);
    try (Background backup = lab.start(lab.variables(), command)) {
      assertThat(backup.awaitSuccess())
          .contains("increment by content", "32M read", "8K stored", "does not reach back");
    }
    String latest = images("vm1").getLast();
    lab.program("qemu-img", "compare", "-f", "raw", "-F", "qcow2", disk.toString(), latest);
  }

  @Test
  void aKilledBackupIsNotListedAndTheNextOneReleasesItsSnapshotAndGoesOn() throws Exception {
    attach();
    backUp();
    byte[] content = overwriteAll();
    String[] slow = {
      Lab.launcher(),
      "backup",
      "vm1",
      "--to",
      to(),
      "--storage",
      directory.toString(),
      "--limit-rate",
      "4M"
    };
    for (String signal : new String[] {"KILL", "INT"}) {
      try (Background backup = lab.start(lab.variables(), slow)) {
        String own = "backup-" + backup.pid() + "-";
        Lab.until(
            "it copies",
            () -> drafts() > 0 && lab.ok("snapshot", "list", "-o", "plain").contains(own));
        lab.program("kill", "-" + signal, Long.toString(backup.pid()));
        assertThat(backup.await()).isNotZero();
      }
      assertThat(lab.ok("backups", to(), "-o", "plain").lines()).hasSize(1);
      if (signal.equals("INT")) {
        assertThat(lab.ok("snapshot", "list", "-o", "plain")).isEmpty();
        assertThat(drafts()).isZero();
      }
    }
    String point = backUp();
    assertThat(lab.ok("snapshot", "list", "-o", "plain")).isEmpty();
    assertThat(drafts()).isZero();
    assertThat(lab.ok("backups", to(), "-o", "plain").lines().toList().getLast())
        .contains("increment");
    requireImage(point, content);
    lab.ok("verify", to());
  }

  private byte[] overwriteAll() throws IOException {
    byte[] content = Bytes.pattern(3, 0, SIZE);
    try (NbdSession session = NbdSession.open(lab.nbdSocket(), "vm1")) {
      session.write(0, content);
    }
    return content;
  }

  private long drafts() throws IOException {
    try (Stream<Path> files = Files.list(deviceDirectory("vm1"))) {
      return files.filter(file -> file.toString().endsWith(".qcow2.part")).count();
    }
  }

  @Test
  void aFullTargetLeavesWhatWasThere() throws Exception {
    LoopFileSystem.require();
    attach();
    try (LoopFileSystem small = LoopFileSystem.mount(lab.path("small"), 24)) {
      String refusal =
          lab.refused(
              "backup", "vm1", "--to", small.path().toString(), "--storage", directory.toString());
      assertThat(refusal).contains("(ENOSPC)");
      assertThat(lab.ok("backups", small.path().toString(), "-o", "plain")).isEmpty();
      try (Stream<Path> files = Files.list(small.path().resolve("vm1"))) {
        assertThat(files.map(file -> file.getFileName().toString())).containsExactly(".lock");
      }
    }
    assertThat(lab.ok("snapshot", "list", "-o", "plain")).isEmpty();
    backUp();
    lab.ok("verify", to());
  }

  @Test
  void aDiskThatGrewIsBackedUpByItsMap() throws Exception {
    attach();
    backUp();
    lab.ok("resize", "vm1", "40M");
    byte[] content = java.util.Arrays.copyOf(Files.readAllBytes(disk), 40 * MIB);
    byte[] fresh = Bytes.pattern(9, 0, 5000);
    try (NbdSession session = NbdSession.open(lab.nbdSocket(), "vm1")) {
      session.write(36 * MIB, fresh);
    }
    System.arraycopy(fresh, 0, content, 36 * MIB, fresh.length);
    String point = backUp();
    assertThat(lab.ok("backups", to(), "-o", "plain").lines().toList().getLast())
        .contains("increment", Integer.toString(40 * MIB));
    requireImage(point, content);
  }

  @Test
  void aSnapshotThatIsCalledLikeANumberIsNotTakenForOne() throws Exception {
    attach();
    byte[] content = Files.readAllBytes(disk);
    backUp();
    byte[] fresh = Bytes.pattern(5, 0, 5000);
    try (NbdSession session = NbdSession.open(lab.nbdSocket(), "vm1")) {
      session.write(MIB, fresh);
    }
    System.arraycopy(fresh, 0, content, MIB, fresh.length);
    // The backup was the take with number 1; this one is later, and has the change behind it.
    lab.ok("snapshot", "create", "vm1", "--storage", directory.toString(), "--name", "1", "--take");
    requireImage(backUp(), content);
    lab.ok("snapshot", "destroy", "1");
  }

  @Test
  void severalDevicesAreBackedUpTogether() throws Exception {
    attach();
    Path other = lab.disk("data.img", 8 * MIB);
    String json =
        lab.ok(
            "backup",
            "vm1",
            other.toString(),
            "--to",
            to(),
            "--storage",
            directory.toString(),
            "--json");
    assertThat(json).startsWith("{\"run\":").contains("\"device\":\"vm1\"", "\"device\":\"data\"");
    assertThat(lab.ok("devices", "-o", "plain").lines()).hasSize(1);
    assertThat(lab.ok("verify", to()).lines()).hasSize(2);
    lab.program(
        "qemu-img",
        "compare",
        "-f",
        "raw",
        "-F",
        "qcow2",
        other.toString(),
        images("data").getFirst());
  }

  @Test
  void aPointIsRestoredToABlockDeviceAndServedToQemu() throws Exception {
    LoopDevice.require();
    attach();
    String point = backUp("--compress");
    byte[] content = Files.readAllBytes(disk);
    Path target = Files.write(lab.path("target.img"), Bytes.repeated('x', SIZE));
    try (LoopDevice device = LoopDevice.attach(target, 512)) {
      lab.ok("restore", to() + "/vm1", "--to", device.path().toString());
      assertThat(lab.ok("restore", to() + "/vm1", "--to", device.path().toString(), "--in-place"))
          .contains("0B of 32M written");
    }
    assertThat(Files.readAllBytes(target)).isEqualTo(content);

    Path socket = lab.path("open.sock");
    String[] open = {Lab.launcher(), "backups", "open", to() + "/vm1/" + point, "--socket"};
    List<String> words = new ArrayList<>(List.of(open));
    words.add(socket.toString());
    try (Background server = lab.start(lab.variables(), words.toArray(String[]::new))) {
      Lab.until("it serves", () -> server.output().contains("nbd+unix"));
      String uri = server.output().strip();
      lab.program("qemu-img", "compare", "-f", "raw", "-F", "raw", disk.toString(), uri);
      lab.ok("verify", to() + "/vm1", "--against", uri);
      lab.program("kill", "-TERM", Long.toString(server.pid()));
      server.await();
    }
    assertThat(socket).doesNotExist();
  }
}
