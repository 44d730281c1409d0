package blksnap.engine;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import blksnap.ctrl.CtrlClient;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import blksnap.nbd.NbdTestClient;
import blksnap.param.Parameter;
import blksnap.testing.Bytes;
import blksnap.testing.Kill;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.FutureTask;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EngineLifecycleTest {
  private static final int BLOCK = 4096;
  private static final List<String> SUBSYSTEMS =
      List.of("diff_io", "snapimage", "tracker", "ctrl", "sysfs");

  @TempDir Path directory;
  private Set<String> threadsBefore = Set.of();

  @BeforeEach
  void rememberThreads() {
    threadsBefore = ourThreads();
  }

  private static Set<String> ourThreads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(Thread::isAlive)
        .map(thread -> thread.getName() + "#" + thread.threadId())
        .filter(name ->
            name.startsWith("blksnap-") || name.startsWith("nbd") || name.startsWith("ctrl"))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private EngineConfig config() {
    return TestEngine.config(directory, TestEngine.SMALL, true);
  }

  private EngineConfig withTcp(int port) {
    EngineConfig config = config();
    return new EngineConfig(
        config.runDirectory(),
        config.stateDirectory(),
        config.parameters(),
        true,
        OptionalInt.of(port),
        config.logMirror());
  }

  /** Everything but directories below the run and state directories. */
  private List<String> files() throws IOException {
    List<String> files = new ArrayList<>();
    for (String top : List.of("run", "state")) {
      if (Files.isDirectory(directory.resolve(top))) {
        try (Stream<Path> all = Files.walk(directory.resolve(top))) {
          all.filter(path -> !Files.isDirectory(path))
              .map(path -> directory.relativize(path).toString())
              .forEach(files::add);
        }
      }
    }
    return files;
  }

  private void expectNothingLeft(String... ofTheTest) throws IOException {
    assertThat(files()).as("files").containsExactlyInAnyOrder(ofTheTest);
    assertThat(ourThreads()).as("threads").isSubsetOf(threadsBefore);
  }

  private void expectLoadable() throws IOException {
    try (Engine engine = Engine.load(config())) {
      assertThat(engine.log().since(0, 1)).isNotEmpty();
    }
    expectNothingLeft();
  }

  @ParameterizedTest
  @ValueSource(strings = {"diff_io", "snapimage", "tracker", "ctrl", "sysfs"})
  void aFailedInitIsReportedAndLeavesNothingBehind(String failing) throws IOException {
    var lines = new ArrayList<String>();
    EngineConfig config = config();
    var logged =
        new EngineConfig(
            config.runDirectory(),
            config.stateDirectory(),
            config.parameters(),
            true,
            OptionalInt.of(0),
            line -> lines.add(line.text()));

    refused(
        Errno.ENOMEM,
        () ->
            Engine.load(
                logged,
                subsystem -> {
                  if (subsystem.equals(failing)) {
                    throw new BlkSnapException(Errno.ENOMEM, "made to fail");
                  }
                }),
        failing,
        "made to fail");

    expectNothingLeft();
    int index = SUBSYSTEMS.indexOf(failing);
    List<String> expected = new ArrayList<>();
    SUBSYSTEMS.subList(0, index).forEach(name -> expected.add(name + ": init"));
    expected.add(failing + ": init failed (ENOMEM): made to fail");
    SUBSYSTEMS.subList(0, index).reversed().forEach(name -> expected.add(name + ": exit"));
    assertThat(lines.stream().filter(line -> line.matches("\\w+: (init|exit).*")))
        .isEqualTo(expected);
    expectLoadable();
  }

  @Test
  void aBugInAnInitIsReportedLikeAFailure() throws IOException {
    refused(
        Errno.EIO,
        () ->
            Engine.load(
                config(),
                subsystem -> {
                  if (subsystem.equals("ctrl")) {
                    throw new IllegalStateException("a bug");
                  }
                }),
        "ctrl",
        "a bug");
    expectNothingLeft();
    expectLoadable();
  }

  @Test
  void aRunDirectoryThatIsAFileIsRefused() throws IOException {
    Files.writeString(directory.resolve("run"), "mine");
    refused(Errno.ENOTDIR, () -> Engine.load(config()), directory.resolve("run").toString());
    expectNothingLeft();
    assertThat(directory.resolve("run")).hasContent("mine");
    Files.delete(directory.resolve("run"));
    expectLoadable();
  }

  @Test
  void aStateDirectoryThatIsAFileIsRefused() throws IOException {
    Files.writeString(directory.resolve("state"), "mine");
    refused(Errno.ENOTDIR, () -> Engine.load(config()), directory.resolve("state").toString());
    expectNothingLeft();
    assertThat(directory.resolve("state")).hasContent("mine");
  }

  @Test
  void aDirectoryInThePlaceOfTheNbdSocketIsRefusedAndStays() throws IOException {
    Path socket = Files.createDirectories(directory.resolve("run/nbd.sock"));
    refused(Errno.EADDRINUSE, () -> Engine.load(config()), "snapimage", socket.toString());
    assertThat(socket).isDirectory();
    expectNothingLeft();
    Files.delete(socket);
    expectLoadable();
  }

  @Test
  void aFileInThePlaceOfTheNbdSocketIsRefusedAndStays() throws IOException {
    Path socket = directory.resolve("run/nbd.sock");
    Files.createDirectories(socket.getParent());
    Files.writeString(socket, "mine");
    refused(Errno.EADDRINUSE, () -> Engine.load(config()), "snapimage", socket.toString());
    assertThat(socket).hasContent("mine");
    expectNothingLeft("run/nbd.sock");
  }

  @Test
  void aFileInThePlaceOfTheControlSocketIsRefusedAndStays() throws IOException {
    Path socket = directory.resolve("run/ctrl.sock");
    Files.createDirectories(socket.getParent());
    Files.writeString(socket, "mine");
    refused(Errno.EEXIST, () -> Engine.load(config()), "ctrl", socket.toString());
    assertThat(socket).hasContent("mine");
    expectNothingLeft("run/ctrl.sock");
    Files.delete(socket);
    expectLoadable();
  }

  @Test
  void aTcpPortInUseIsRefused() throws IOException {
    try (var taken = new ServerSocket(0, 1, InetAddress.getByAddress(new byte[] {127, 0, 0, 1}))) {
      int port = taken.getLocalPort();
      refused(
          Errno.EADDRINUSE, () -> Engine.load(withTcp(port)), "snapimage", Integer.toString(port));
    }
    expectNothingLeft();
    expectLoadable();
  }

  @Test
  void subsystemsComeUpInOrderAndGoInTheReverseOne() throws IOException {
    Engine engine = Engine.load(config());
    engine.close();

    List<String> expected = new ArrayList<>(List.of("Loading", "version 1.0.0.0"));
    for (Parameter parameter : Parameter.values()) {
      long value = TestEngine.SMALL.getOrDefault(parameter, parameter.defaultValue());
      expected.add("parameter " + parameter.key() + "=" + value);
    }
    SUBSYSTEMS.forEach(name -> expected.add(name + ": init"));
    expected.add("Unloading module");
    SUBSYSTEMS.reversed().forEach(name -> expected.add(name + ": exit"));
    expected.add("Module was unloaded");
    List<LogRing.Line> lines = engine.log().since(0, LogRing.CAPACITY);
    assertThat(lines).extracting(LogRing.Line::text).containsSubsequence(expected);
    assertThat(lines.stream().filter(line -> line.level() == LogRing.Level.INFO))
        .extracting(LogRing.Line::text)
        .contains("Loading", "Unloading module", "Module was unloaded");
  }

  @Test
  void initstateIsComingThenLiveThenGoing() throws Exception {
    List<String> refusals = new ArrayList<>();
    Engine engine =
        Engine.load(
            config(),
            subsystem -> {
              if (subsystem.equals("sysfs")) {
                try (var client = CtrlClient.connect(config().ctrlSocket())) {
                  BlkSnapException refusal =
                      refused(Errno.ESHUTDOWN, () -> client.handle(new CtrlRequest.Version()));
                  refusals.add(refusal.sentence());
                }
              }
            });
    assertThat(refusals).singleElement().asString().contains("coming");
    var info = (CtrlReply.ModuleInfo) engine.handle(new CtrlRequest.ModInfo());
    assertThat(info.initstate()).isEqualTo("live");
    engine.close();
    refused(Errno.ESHUTDOWN, () -> engine.handle(new CtrlRequest.Version()), "going");
  }

  @Test
  void closingTwiceIsHarmless() throws IOException {
    Engine engine = Engine.load(config());
    engine.close();
    assertThatCode(engine::close).doesNotThrowAnyException();
    expectNothingLeft();
  }

  @Test
  void oneDirectoryOfTheTwoIsEnoughToRefuseASecondEngine() throws IOException {
    try (Engine first = Engine.load(config())) {
      assertThat(first.log().since(0, 1)).isNotEmpty();
      for (String shared : List.of("run", "state")) {
        Path other = directory.resolve("other-" + shared);
        var config =
            new EngineConfig(
                shared.equals("run") ? directory.resolve("run") : other,
                shared.equals("state") ? directory.resolve("state") : other,
                Map.of(),
                true,
                OptionalInt.empty(),
                line -> {});
        refused(Errno.EEXIST, () -> Engine.load(config), directory.resolve(shared).toString());
        assertThat(other.resolve("lock")).doesNotExist();
      }
    }
  }

  @Test
  void whatAKilledEngineLeftIsTakenOver() throws IOException {
    Path run = Files.createDirectories(directory.resolve("run"));
    Path state = Files.createDirectories(directory.resolve("state"));
    Files.createFile(run.resolve("lock"));
    Files.createFile(state.resolve("lock"));
    for (String name : List.of("nbd.sock", "ctrl.sock")) {
      try (var dead = ServerSocketChannel.open(java.net.StandardProtocolFamily.UNIX)) {
        dead.bind(UnixDomainSocketAddress.of(run.resolve(name)));
      }
      assertThat(run.resolve(name)).exists();
    }
    try (var engine = new TestEngine(directory, config())) {
      engine.attach("vm1", Bytes.repeated('a', 4 * BLOCK));
      assertThat(engine.read("vm1", 0, BLOCK)).containsOnly('a');
    }
    assertThat(files()).noneMatch(file -> file.startsWith("run"));
    assertThat(state.resolve("lock")).doesNotExist();
  }

  @Test
  void directoriesAndSocketsAreTheOwnersOnly() throws IOException {
    Files.createDirectories(directory.resolve("run"));
    Files.setPosixFilePermissions(
        directory.resolve("run"), PosixFilePermissions.fromString("rwxr-xr-x"));
    try (Engine engine = Engine.load(config())) {
      assertThat(engine.log().since(0, 1)).isNotEmpty();
      assertThat(mode("run")).isEqualTo("rwx------");
      assertThat(mode("state")).isEqualTo("rwx------");
      assertThat(mode("run/ctrl.sock")).isEqualTo("rw-------");
      assertThat(mode("run/nbd.sock")).isEqualTo("rw-------");
    }
  }

  private String mode(String path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.resolve(path)));
  }

  @Test
  void unloadIsRefusedWhileASnapshotOrAClientIsThereAndNamesThem() throws Exception {
    try (var engine = new TestEngine(directory, config())) {
      engine.attach("vm1", Bytes.repeated('a', 4 * BLOCK));
      engine.create("night", "vm1");
      engine.read("vm1", 0, 512);
      assertThat(engine.cat("/sys/module/blksnap/refcnt")).isEqualTo("2");
      refused(
          Errno.EBUSY,
          () -> engine.ask(new CtrlRequest.Unload(false)),
          "snapshot night is held",
          "vm1 is in use by");
      engine.destroy("night");
      refused(Errno.EBUSY, () -> engine.ask(new CtrlRequest.Unload(false)), "vm1 is in use by");
      engine.hangUp("vm1");

      engine.ask(new CtrlRequest.Unload(false));
      engine.engine().awaitExit();
      refused(Errno.ESHUTDOWN, () -> engine.ask(new CtrlRequest.Version()), "going");
    }
    assertThat(ourThreads()).isSubsetOf(threadsBefore);
  }

  @Test
  void aClientThatIsJustLeavingKeepsNobodyFromDetachingOrUnloading() throws Exception {
    try (var engine = new TestEngine(directory, config())) {
      engine.attach("vm1", Bytes.repeated('a', 4 * BLOCK));
      engine.attach("vm2", Bytes.repeated('b', 4 * BLOCK));
      NbdTestClient first = engine.client("vm1");
      NbdTestClient second = engine.client("vm2");
      whileAsking(engine, new CtrlRequest.Detach("vm1"), first);
      whileAsking(engine, new CtrlRequest.Unload(false), second);
      engine.engine().awaitExit();
    }
  }

  /** The client hangs up while the engine waits for that. */
  private static void whileAsking(TestEngine engine, CtrlRequest request, NbdTestClient client)
      throws Exception {
    var asked =
        new FutureTask<>(() -> {
          engine.ask(request);
          return true;
        });
    Thread asking = Thread.ofPlatform().start(asked);
    while (asking.getState() != Thread.State.TIMED_WAITING && asking.isAlive()) {
      Thread.onSpinWait();
    }
    client.close();
    assertThat(asked.get()).isTrue();
  }

  @Test
  void aForcedUnloadReleasesSnapshotsAndCutsClientsOff() throws Exception {
    var engine = new TestEngine(directory, config());
    engine.attach("vm1", Bytes.repeated('a', 64 * BLOCK));
    engine.take("night", "vm1");
    NbdTestClient client = engine.client("vm1");
    NbdTestClient image = engine.client("vm1@night");
    assertThat(client.write(0, Bytes.repeated('b', BLOCK))).isZero();

    engine.ask(new CtrlRequest.Unload(true));
    engine.engine().awaitExit();

    assertThatCode(() -> client.read(0, 512)).isInstanceOf(IOException.class);
    assertThatCode(() -> image.read(0, 512)).isInstanceOf(IOException.class);
    assertThat(Files.readAllBytes(directory.resolve("vm1.img"))).startsWith('b').endsWith('a');
    assertThat(directory.resolve("night.diff")).doesNotExist();
    engine.close();
    assertThat(files()).noneMatch(file -> file.startsWith("run"));
    assertThat(ourThreads()).isSubsetOf(threadsBefore);
  }

  @Test
  void whatWasAttachedIsAttachedAgainWithItsHistory() throws IOException {
    CtrlReply.CbtState before;
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", Bytes.repeated('a', 64 * BLOCK));
      engine.write("vm1", 5 * BLOCK, Bytes.filled('b', 1));
      before = engine.cbt("vm1");
    }
    try (var engine = new TestEngine(directory)) {
      assertThat(engine.cbt("vm1")).isEqualTo(before);
      assertThat(before.dirtyBlocks()).isEqualTo(1);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"ctrl", "sysfs"})
  void aLoadThatFailsLeavesTheSnapshotsOfAKilledEngineToTheNext(String failing) throws IOException {
    Kill kill;
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", Bytes.repeated('a', 64 * BLOCK));
      engine.take("night", "vm1");
      engine.create("later", "vm1");
      engine.write("vm1", 0, Bytes.repeated('b', 10 * BLOCK));
      kill =
          Kill.at(
              directory.resolve("copies"),
              directory.resolve("state"),
              directory.resolve("night.diff"),
              directory.resolve("later.diff"));
    }
    kill.restore();

    refused(
        Errno.ENOMEM,
        () ->
            Engine.load(
                config(),
                subsystem -> {
                  if (subsystem.equals(failing)) {
                    throw new BlkSnapException(Errno.ENOMEM, "made to fail");
                  }
                }),
        failing);
    assertThat(ourThreads()).isSubsetOf(threadsBefore);

    try (var engine = new TestEngine(directory)) {
      assertThat(engine.read("vm1@night", 0, 64 * BLOCK)).containsOnly('a');
      assertThat(engine.info("later").state()).isEqualTo("created");
      engine.write("vm1", 0, Bytes.repeated('c', 64 * BLOCK));
      assertThat(engine.read("vm1@night", 0, 64 * BLOCK)).containsOnly('a');
    }
  }

  @Test
  void recordsThatWereBeingReplacedWhenTheEngineWasKilledAreRubbish() throws IOException {
    Kill kill;
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", Bytes.repeated('a', 64 * BLOCK));
      engine.take("night", "vm1");
      kill =
          Kill.at(
              directory.resolve("copies"),
              directory.resolve("state"),
              directory.resolve("night.diff"));
    }
    kill.restore();
    List<Path> unfinished = new ArrayList<>();
    try (Stream<Path> all = Files.walk(directory.resolve("state"))) {
      for (Path path : all.toList()) {
        String name = path.getFileName().toString();
        if (List.of("device", "cbt", "intent", "snapshot", "0").contains(name)) {
          unfinished.add(Files.copy(path, path.resolveSibling(name + ".new")));
        }
      }
    }
    assertThat(unfinished).hasSize(5);

    try (var engine = new TestEngine(directory)) {
      assertThat(engine.read("vm1@night", 0, BLOCK)).containsOnly('a');
      assertThat(unfinished).allSatisfy(path -> assertThat(path).doesNotExist());
    }
  }

  @Test
  void anImageIsNeverGoodAgainOnceItsDeviceWasWrittenWithoutIt() throws IOException {
    Path file = directory.resolve("vm1.img");
    Path away = directory.resolve("away.img");
    Kill first;
    try (var engine = new TestEngine(directory)) {
      engine.attach("vm1", Bytes.repeated('a', 64 * BLOCK));
      engine.take("night", "vm1");
      first =
          Kill.at(
              directory.resolve("copies"),
              directory.resolve("state"),
              directory.resolve("night.diff"));
    }
    first.restore();
    Files.move(file, away); // its disk is not mounted at the next load
    Kill second;
    try (var engine = new TestEngine(directory)) {
      assertThat(engine.info("night").devices().getFirst().errno()).contains(Errno.ENODEV);
      Files.move(away, file);
      engine.attach("vm1", file, false);
      engine.write("vm1", 0, Bytes.repeated('b', 10 * BLOCK));
      second =
          Kill.at(
              directory.resolve("copies2"),
              directory.resolve("state"),
              directory.resolve("night.diff"));
    }
    second.restore();

    try (var engine = new TestEngine(directory)) {
      assertThat(engine.errorOfRead("vm1@night", 0, BLOCK)).isEqualTo(5);
    }
  }
}
