package blksnap.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.Errno;
import blksnap.sector.SectorRange;
import blksnap.status.StatusNode;
import blksnap.testing.Bytes;
import blksnap.testing.Commands;
import blksnap.testing.Refusals;
import blksnap.testing.TestEngine;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is refused: with which errno and sentence, and that it changes nothing. */
class BadInputTest {
  private static final int BLOCK = 4096;
  private static final int SIZE = 64 * BLOCK;

  @TempDir Path directory;

  @SuppressWarnings("NullAway.Init") // before each test
  private TestEngine engine;

  /** One device {@code vm1}, held by the taken snapshot {@code night}. */
  @BeforeEach
  void load() throws IOException {
    engine = new TestEngine(directory);
    engine.attach("vm1", Bytes.repeated('a', SIZE));
    engine.take("night", "vm1");
  }

  @AfterEach
  void unload() throws IOException {
    engine.close();
  }

  /** The status tree and every file below the test's directory, with its size and time. */
  private Map<String, String> everything() throws IOException {
    Map<String, String> all = new HashMap<>();
    flatten("", engine.ask(CtrlReply.Tree.class, new CtrlRequest.Status("/")).node(), all);
    all.keySet().removeIf(path -> path.endsWith("/storage/free")); // others use the disk as well
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.toList()) {
        if (!Files.isDirectory(file, LinkOption.NOFOLLOW_LINKS)) {
          var stamp = Files.getLastModifiedTime(file, LinkOption.NOFOLLOW_LINKS);
          all.put(
              "file " + file,
              Files.readAttributes(file, "size", LinkOption.NOFOLLOW_LINKS) + " " + stamp);
        } else {
          all.put("directory " + file, "");
        }
      }
    }
    return all;
  }

  private static void flatten(String path, StatusNode node, Map<String, String> all) {
    switch (node) {
      case StatusNode.Directory directory ->
          directory.entries().forEach(child -> flatten(path + "/" + child.name(), child, all));
      case StatusNode.Attribute attribute -> all.put(path, attribute.value());
    }
  }

  /** Asks, and expects to be refused without any effect. */
  private void refuse(Errno errno, CtrlRequest request, String... sentenceParts)
      throws IOException {
    Map<String, String> before = everything();
    Refusals.refused(errno, () -> engine.ask(request), sentenceParts);
    assertThat(everything()).isEqualTo(before);
  }

  private static CtrlRequest.Attach attachment(Path path, Optional<String> name) {
    return new CtrlRequest.Attach(path.toString(), name, false, CtrlRequest.Cache.WRITEBACK);
  }

  private void refuseAttach(Errno errno, Path path, String... sentenceParts) throws IOException {
    var parts = new ArrayList<>(List.of(sentenceParts));
    parts.add(path.toString());
    refuse(errno, attachment(path, Optional.of("odd")), parts.toArray(String[]::new));
  }

  private Path sparse(String name, long bytes) throws IOException {
    Path file = directory.resolve(name);
    try (var made = new RandomAccessFile(file.toFile(), "rw")) {
      made.setLength(bytes);
    }
    return file;
  }

  @Test
  void aDirectoryIsNoDevice() throws IOException {
    refuseAttach(Errno.EISDIR, Files.createDirectory(directory.resolve("dir")), "directory");
  }

  @Test
  void aFifoIsNoDeviceAndDoesNotHang() throws IOException {
    Path fifo = directory.resolve("fifo");
    Commands.run("mkfifo", fifo.toString());
    refuseAttach(Errno.EINVAL, fifo, "not a file or block device");
  }

  @Test
  void aSocketIsNoDevice() throws IOException {
    Path socket = directory.resolve("socket");
    try (var listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listening.bind(UnixDomainSocketAddress.of(socket));
      refuseAttach(Errno.EINVAL, socket, "not a file or block device");
    }
  }

  @Test
  void aCharacterDeviceIsNoDevice() throws IOException {
    refuseAttach(Errno.EINVAL, Path.of("/dev/null"), "not a file or block device");
  }

  @Test
  void aMissingFileIsRefused() throws IOException {
    refuseAttach(Errno.ENOENT, directory.resolve("missing.img"));
    refuseAttach(Errno.ENOTDIR, directory.resolve("vm1.img/below"));
    Path dangling =
        Files.createSymbolicLink(directory.resolve("dangling"), directory.resolve("nowhere"));
    refuseAttach(Errno.ENOENT, dangling);
  }

  @Test
  void aFileWithoutPermissionIsRefused() throws IOException {
    Path file = sparse("secret.img", SIZE);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("---------"));
    assumeFalse(Files.isReadable(file), "root may do everything");
    refuseAttach(Errno.EACCES, file);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("r--------"));
    refuseAttach(Errno.EACCES, file);
  }

  @Test
  void aFileWithoutASectorIsRefused() throws IOException {
    refuseAttach(Errno.EINVAL, sparse("empty.img", 0), "0 bytes");
    refuseAttach(Errno.EINVAL, sparse("short.img", 511), "511");
  }

  @Test
  void aRelativePathIsRefused() throws IOException {
    for (String path : List.of("", "vm1.img", "./vm1.img", "/tmp/\0")) {
      refuse(
          Errno.EINVAL,
          new CtrlRequest.Attach(path, Optional.of("odd"), false, CtrlRequest.Cache.WRITEBACK),
          "not absolute");
    }
  }

  @Test
  void aFileThatIsAttachedIsRefusedByWhateverPath() throws IOException {
    Path file = directory.resolve("vm1.img");
    Path symbolic = Files.createSymbolicLink(directory.resolve("symbolic.img"), file);
    Path hard = Files.createLink(directory.resolve("hard.img"), file);
    for (Path path : List.of(file, symbolic, hard)) {
      refuseAttach(Errno.EBUSY, path, "device vm1");
    }
  }

  @Test
  void aNameThatIsTakenOrOddIsRefused() throws IOException {
    Path other = sparse("other.img", SIZE);
    refuse(Errno.EEXIST, attachment(other, Optional.of("vm1")), "'vm1'", "vm1.img");
    for (String name : List.of("", "a b", "a@b", "a/b", "..", "-a", "ä", "a\n", "x".repeat(65))) {
      refuse(Errno.EINVAL, attachment(other, Optional.of(name)), "'" + name + "'", "letters");
    }
  }

  @Test
  void aReadOnlyDeviceRefusesEveryChangeAndIsAsBefore() throws IOException {
    Path file = directory.resolve("ro.img");
    Files.write(file, Bytes.repeated('r', SIZE));
    engine.attach("ro", file, true);
    assertThat(engine.write("ro", 0, Bytes.filled('w', 1))).isEqualTo(1);
    assertThat(engine.client("ro").errorOf(0, 4, 0, BLOCK)).as("discard").isEqualTo(1);
    assertThat(engine.client("ro").errorOf(0, 6, 0, BLOCK)).as("write zeroes").isEqualTo(1);
    assertThat(engine.cbt("ro").dirtyBlocks()).isZero();
    assertThat(Files.readAllBytes(file)).containsOnly('r');
  }

  @Test
  void whatIsUnknownIsNamed() throws IOException {
    refuse(Errno.ENODEV, new CtrlRequest.Detach("vm9"), "vm9");
    refuse(Errno.ENODEV, new CtrlRequest.CbtInfo("vm9"), "vm9");
    engine.create("open", "vm1");
    refuse(Errno.ENODEV, new CtrlRequest.SnapshotAdd("open", "vm9"), "vm9");
    refuse(Errno.ENODEV, engine.creation("odd", "vm1", "vm9"), "vm9");
    refuse(Errno.ESRCH, new CtrlRequest.SnapshotTake("day"), "'day'");
    refuse(Errno.ESRCH, new CtrlRequest.SnapshotInfo("day"), "'day'");
    refuse(Errno.ESRCH, new CtrlRequest.SnapshotImages("day"), "'day'");
    refuse(Errno.ESRCH, new CtrlRequest.SnapshotDestroy("day"), "'day'");
    refuse(Errno.ESRCH, new CtrlRequest.SnapshotAdd("day", "vm1"), "'day'");
    refuse(Errno.ESRCH, new CtrlRequest.SnapshotWait("day", 1), "'day'");
    refuse(
        Errno.ESRCH, new CtrlRequest.SnapshotAppendStorage("day", "/dev/null", List.of()), "'day'");
    refuse(Errno.ENOENT, new CtrlRequest.ParamGet("chunk_shift"), "'chunk_shift'");
    refuse(Errno.ENOENT, new CtrlRequest.ParamSet("chunk_shift", "18"), "'chunk_shift'");
    refuse(Errno.ENOENT, new CtrlRequest.Cat("/sys/block/vm9/size"), "vm9");
    refuse(Errno.ENOENT, new CtrlRequest.Status("/sys/nonsense"), "nonsense");
  }

  @Test
  void attributesThatAreOnlyReadAreNotWritten() throws IOException {
    refuse(Errno.EACCES, new CtrlRequest.Echo("/sys/block/vm1/size", "1"), "size");
    refuse(Errno.EISDIR, new CtrlRequest.Cat("/sys/block"), "block");
  }

  @Test
  void aSnapshotIsMadeOfDifferentDevicesAndAFreeName() throws IOException {
    refuse(Errno.EINVAL, engine.creation("odd", "vm1", "vm1"), "'vm1'", "twice");
    refuse(Errno.EEXIST, creation("night", "new.diff", Optional.empty()), "'night'");
    for (String name : List.of("a b", "a@b", "..", "x".repeat(65))) {
      refuse(
          Errno.EINVAL, creation(name, "new.diff", Optional.empty()), "'" + name + "'", "letters");
    }
  }

  private CtrlRequest.SnapshotCreate creation(String name, String storage, Optional<Long> limit) {
    return new CtrlRequest.SnapshotCreate(
        List.of("vm1"),
        directory.resolve(storage).toString(),
        limit,
        Optional.of(name),
        CtrlRequest.Durability.PROCESS,
        CtrlRequest.OnFull.BREAK,
        true);
  }

  @Test
  void theCapturedDeviceIsNoStorageByWhateverPath() throws IOException {
    Path file = directory.resolve("vm1.img");
    Files.createSymbolicLink(directory.resolve("symbolic"), file);
    Files.createLink(directory.resolve("hard"), file);
    for (String path : List.of("vm1.img", "symbolic", "hard")) {
      refuse(
          Errno.EINVAL,
          creation("odd", path, Optional.empty()),
          directory.resolve(path).toString(),
          "device vm1");
      refuse(
          Errno.EINVAL,
          new CtrlRequest.SnapshotAppendStorage(
              "night", directory.resolve(path).toString(), List.of(new SectorRange(0, 64))),
          directory.resolve(path).toString(),
          "device vm1");
    }
  }

  @Test
  void aFileWithDataIsNotOverwrittenAsStorage() throws IOException {
    Path precious = Files.write(directory.resolve("precious"), Bytes.repeated('p', SIZE));
    refuse(Errno.EEXIST, creation("odd", "precious", Optional.empty()), precious.toString());
    refuse(
        Errno.EEXIST,
        new CtrlRequest.SnapshotAppendStorage("night", precious.toString(), List.of()),
        precious.toString());
    assertThat(Files.readAllBytes(precious)).containsOnly('p');
  }

  @Test
  void storageInUseOrNowhereIsRefused() throws IOException {
    refuse(Errno.EBUSY, creation("odd", "night.diff", Optional.empty()), "night.diff");
    refuse(Errno.ENOENT, creation("odd", "no/such.diff", Optional.empty()), "no");
    refuse(
        Errno.EINVAL,
        new CtrlRequest.SnapshotCreate(
            List.of("vm1"),
            "relative.diff",
            Optional.empty(),
            Optional.empty(),
            CtrlRequest.Durability.NONE,
            CtrlRequest.OnFull.BREAK,
            false),
        "relative.diff");
    refuse(Errno.EINVAL, creation("odd", "../../dev/null", Optional.empty()), "null");
    refuse(
        Errno.ENOENT,
        new CtrlRequest.SnapshotAppendStorage(
            "night", directory.resolve("missing").toString(), List.of()),
        "missing");
  }

  @Test
  void aLimitBelowOneChunkIsRefused() throws IOException {
    for (long limit : List.of(16_383L, 1L)) {
      refuse(
          Errno.EINVAL, creation("odd", "new.diff", Optional.of(limit)), limit + " bytes", "16384");
    }
    for (long limit : List.of(0L, -1L, Long.MIN_VALUE)) {
      refuse(Errno.EINVAL, creation("odd", "new.diff", Optional.of(limit)), limit + " bytes");
    }
  }

  @Test
  void appendedRangesAreAlignedInsideAndDisjoint() throws IOException {
    Path file = sparse("more", 256 * BLOCK);
    refuseAppend(file, "not multiples of 4096", new SectorRange(1, 64));
    refuseAppend(file, "not multiples of 4096", new SectorRange(8, 63));
    refuseAppend(file, "end beyond its 1048576 bytes", new SectorRange(2_040, 16));
    refuseAppend(file, "end beyond its 1048576 bytes", new SectorRange(1L << 40, 64));
    refuseAppend(file, "fewer than the 8192 needed", new SectorRange(0, 8));
    refuseAppend(file, "overlaps", new SectorRange(0, 64), new SectorRange(56, 64));
    engine.ask(
        new CtrlRequest.SnapshotAppendStorage(
            "night", file.toString(), List.of(new SectorRange(64, 64))));
    refuseAppend(file, "overlaps", new SectorRange(120, 64));
    engine.ask(
        new CtrlRequest.SnapshotAppendStorage(
            "night", file.toString(), List.of(new SectorRange(128, 64))));
  }

  private void refuseAppend(Path file, String sentence, SectorRange... ranges) throws IOException {
    refuse(
        Errno.EINVAL,
        new CtrlRequest.SnapshotAppendStorage("night", file.toString(), List.of(ranges)),
        file.toString(),
        sentence);
  }

  @Test
  void aTakenSnapshotIsNotTakenOrChangedAgain() throws IOException {
    engine.attach("vm2", Bytes.zeroes(SIZE));
    refuse(Errno.EALREADY, new CtrlRequest.SnapshotTake("night"), "night", "taken already");
    refuse(Errno.EALREADY, new CtrlRequest.SnapshotAdd("night", "vm2"), "night");
    engine.create("day", "vm1");
    refuse(Errno.EALREADY, new CtrlRequest.SnapshotAdd("day", "vm1"), "'vm1'", "day");
    refuse(Errno.ENODEV, new CtrlRequest.SnapshotImages("day"), "day", "not taken");
  }

  @Test
  void aWaitIsNotNegativeAndEndsWithoutAnEvent() throws IOException {
    refuse(Errno.ETIMEDOUT, new CtrlRequest.SnapshotWait("night", 0), "night", "0 ms");
    refuse(Errno.ETIMEDOUT, new CtrlRequest.SnapshotWait("night", 20), "night", "20 ms");
    for (long millis : List.of(-1L, Long.MIN_VALUE, Long.MAX_VALUE)) {
      refuse(Errno.EINVAL, new CtrlRequest.SnapshotWait("night", millis), millis + " ms");
      refuse(Errno.EINVAL, new CtrlRequest.Dmesg(0, millis), millis + " ms");
    }
    refuse(Errno.EINVAL, new CtrlRequest.Dmesg(-1, 0), "-1");
  }

  @Test
  void aWaitOnFullStorageHasASensibleLength() throws IOException {
    for (var onFull :
        List.of(
            new CtrlRequest.OnFull(true, Optional.of(0)),
            new CtrlRequest.OnFull(true, Optional.of(-5)),
            new CtrlRequest.OnFull(false, Optional.of(5)))) {
      refuse(
          Errno.EINVAL,
          new CtrlRequest.SnapshotCreate(
              List.of("vm1"),
              directory.resolve("new.diff").toString(),
              Optional.empty(),
              Optional.empty(),
              CtrlRequest.Durability.PROCESS,
              onFull,
              false),
          onFull.waitSeconds().orElseThrow() + " seconds");
    }
  }

  @Test
  void aMapIsAskedForInsideItsGenerationAndBeforeItsEnd() throws IOException {
    Optional<String> none = Optional.empty();
    refuse(Errno.EINVAL, map("256", none), "256");
    refuse(Errno.EINVAL, map("-1", none), "-1");
    refuse(Errno.ESRCH, map("yesterday", none), "'yesterday'", "no number");
    refuse(Errno.EINVAL, map("2", none), "since 2", "number 1");
    refuse(Errno.EINVAL, map("1", Optional.of("night")), "since 1", "number 0");
    refuse(Errno.ESRCH, map("0", Optional.of("day")), "'day'");
    refuse(Errno.EINVAL, new CtrlRequest.CbtMap("vm1", none, none, -1), "-1");
    refuse(Errno.EINVAL, new CtrlRequest.CbtRaw("vm1", none, -1), "-1");

    engine.take("later", "vm1");
    refuse(Errno.EINVAL, map("later", Optional.of("night")), "later", "number 2");
    engine.create("open", "vm1");
    refuse(Errno.EINVAL, map("0", Optional.of("open")), "open", "not taken");
    engine.attach("vm2", Bytes.zeroes(SIZE));
    refuse(
        Errno.ENODEV, new CtrlRequest.CbtMap("vm2", none, Optional.of("night"), 0), "vm2", "night");
  }

  private static CtrlRequest.CbtMap map(String since, Optional<String> until) {
    return new CtrlRequest.CbtMap("vm1", Optional.of(since), until, 0);
  }

  @Test
  void markingOutsideTheDeviceMarksNothingAtAll() throws IOException {
    refuse(
        Errno.EINVAL,
        new CtrlRequest.CbtMark(
            "vm1", List.of(new SectorRange(0, 8), new SectorRange(SIZE / 512 - 1, 2))),
        "512 sectors",
        "vm1");
  }

  @Test
  void aDeviceIsNotDetachedWhileItIsHeldOrInUse() throws IOException {
    engine.create("day", "vm1");
    refuse(Errno.EBUSY, new CtrlRequest.Detach("vm1"), "vm1", "day", "night");
    engine.destroy("night");
    engine.destroy("day");
    engine.read("vm1", 0, 512);
    refuse(Errno.EBUSY, new CtrlRequest.Detach("vm1"), "vm1", "in use by");
    engine.hangUp("vm1");
    engine.ask(new CtrlRequest.Detach("vm1"));
    refuse(Errno.ENODEV, new CtrlRequest.Detach("vm1"), "vm1");
  }

  @Test
  void aRefusedCreateWithTakeLeavesNoSnapshot() throws IOException {
    Path home = directory.resolve("state/snapshots");
    Files.move(home, directory.resolve("aside"));
    Files.writeString(home, "in the way");
    Refusals.refused(
        Errno.ENOTDIR,
        () -> engine.ask(creation("odd", "new.diff", Optional.empty())),
        "snapshots");
    Files.delete(home);
    Files.move(directory.resolve("aside"), home);

    assertThat(engine.ask(CtrlReply.Snapshots.class, new CtrlRequest.SnapshotList()).snapshots())
        .extracting(CtrlReply.SnapshotEntry::name)
        .containsExactly("night");
    assertThat(directory.resolve("new.diff")).doesNotExist();
    assertThat(directory.resolve("state/storages").toFile().list()).hasSize(1);
  }
}
