package blksnap.backup;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.nbdclient.NbdClient;
import blksnap.qcow2.Compression;
import blksnap.state.StateFile;
import blksnap.testing.Bytes;
import blksnap.testing.Commands;
import blksnap.testing.LoopDevice;
import blksnap.testing.LoopFileSystem;
import blksnap.testing.MemoryDevice;
import blksnap.testing.Seeds;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RestoreTest {
  private static final int MIB = 1 << 20;
  private static final long GIB = 1L << 30;

  @TempDir private Path directory;

  private static Restore restore(
      BackupWorld world, String point, boolean inPlace, boolean force, BooleanSupplier cancelled)
      throws IOException {
    DevicePoints points = world.points();
    return new Restore(
        points,
        points.find(point),
        new Restore.Way(inPlace, force),
        new BackupOptions.Load(2, OptionalLong.empty(), _ -> {}, cancelled));
  }

  private BackupWorld twoPoints(long bytes) throws IOException {
    Random random = Seeds.ofRun().random();
    var world = new BackupWorld(directory, bytes);
    world.change(random, 30);
    world.backup(BackupWorld.PLAIN, false);
    world.disk.put(MIB, BackupWorld.random(random, 8192));
    world.backup(BackupWorld.PLAIN, true);
    return world;
  }

  @Test
  void overwritesNothingWithoutBeingAsked() throws IOException {
    BackupWorld world = twoPoints(16 * MIB);
    Path there = Files.writeString(world.newFile(), "mine");
    refused(Errno.EEXIST, () -> restore(world, "", false, false, () -> false).to(there));
    assertThat(there).hasContent("mine");
    restore(world, "", false, true, () -> false).to(there);
    String latest = world.points().find("").name();
    assertThat(world.model(latest).mismatch(there)).isEqualTo(-1);
  }

  @Test
  void inPlaceWritesOnlyWhatDiffers() throws IOException {
    BackupWorld world = twoPoints(16 * MIB);
    var points = world.points().all();
    Path file = world.restore(points.getFirst().name());
    Restore.Done done = restore(world, points.getLast().name(), true, false, () -> false).to(file);
    assertThat(done.writtenBytes()).isPositive().isLessThanOrEqualTo(8192);
    assertThat(world.model(points.getLast().name()).mismatch(file)).isEqualTo(-1);
  }

  @Test
  void aLargerFileIsCutOffOnlyWhenForced() throws IOException {
    BackupWorld world = twoPoints(16 * MIB);
    Path file = Files.write(world.newFile(), new byte[17 * MIB]);
    refused(Errno.EFBIG, () -> restore(world, "", true, false, () -> false).to(file), "17825792");
    assertThat(file).hasSize(17 * MIB);
    restore(world, "", true, true, () -> false).to(file);
    assertThat(file).hasSize(16 * MIB);
  }

  @Test
  void aMountedDeviceOrALargerOneIsNotWrittenTo() throws IOException {
    LoopFileSystem.require();
    BackupWorld world = twoPoints(16 * MIB);
    try (LoopFileSystem mounted = LoopFileSystem.mount(directory.resolve("mounted"), 16)) {
      Path device = mounted.device();
      for (boolean inPlace : new boolean[] {false, true}) {
        BlkSnapException refusal =
            refused(Errno.EBUSY, () -> restore(world, "", inPlace, false, () -> false).to(device));
        assertThat(refusal.sentence()).contains(device.toString());
      }
    }
    Commands.run("e2fsck", "-fn", directory.resolve("mounted.disk").toString());

    Path larger = repeated(world, 17 * MIB);
    try (LoopDevice device = LoopDevice.attach(larger, 512)) {
      refused(
          Errno.EFBIG,
          () -> restore(world, "", false, false, () -> false).to(device.path()),
          device.path().toString(),
          "17825792");
      assertThat(Files.mismatch(larger, repeated(world, 17 * MIB))).isEqualTo(-1);
      restore(world, "", false, true, () -> false).to(device.path());
    }
    Path cut = Files.write(world.newFile(), Arrays.copyOf(Files.readAllBytes(larger), 16 * MIB));
    assertThat(world.model(world.points().find("").name()).mismatch(cut)).isEqualTo(-1);
    byte[] rest = Arrays.copyOfRange(Files.readAllBytes(larger), 16 * MIB, 17 * MIB);
    assertThat(rest).isEqualTo(Bytes.repeated('x', MIB));
  }

  private static Path repeated(BackupWorld world, int bytes) throws IOException {
    return Files.write(world.newFile(), Bytes.repeated('x', bytes));
  }

  /** A disk with something in each quarter of a GiB. */
  private BackupWorld scattered(long bytes) throws IOException {
    Random random = Seeds.ofRun().random();
    var world = new BackupWorld(directory, bytes);
    for (long at = 0; at < bytes; at += GIB / 4) {
      world.disk.put(at, BackupWorld.random(random, 2 * MIB));
    }
    return world;
  }

  @Test
  void aFileThatWasBegunIsGoneOnWith() throws IOException {
    BackupWorld world = scattered(4 * GIB);
    String name = world.backup(BackupWorld.PLAIN, false).name();
    Path file = world.newFile();
    var parts = new AtomicInteger();
    // A part is 1 MiB: 24 of them are done when it is given up, in the third GiB.
    refused(
        Errno.ECANCELED,
        () -> restore(world, name, false, false, () -> parts.incrementAndGet() > 24).to(file));
    assertThat(file.resolveSibling(file.getFileName() + Restore.UNFINISHED)).exists();

    Restore.Done done = restore(world, name, false, false, () -> false).to(file);
    assertThat(done.resumedAt()).isGreaterThanOrEqualTo(GIB);
    assertThat(world.model(name).mismatch(file)).isEqualTo(-1);
    assertThat(file.resolveSibling(file.getFileName() + Restore.UNFINISHED)).doesNotExist();
  }

  @Test
  void aFileThatIsMadeAnewIsNotTakenForTheOneThatWasBegun() throws IOException {
    BackupWorld world = scattered(2 * GIB);
    String name = world.backup(BackupWorld.PLAIN, false).name();
    Path file = world.newFile();
    for (boolean withLength : new boolean[] {false, true}) {
      var parts = new AtomicInteger();
      refused(
          Errno.ECANCELED,
          () -> restore(world, name, false, false, () -> parts.incrementAndGet() > 12).to(file));
      Files.delete(file); // the next one gets its inode, as file systems do
      if (withLength) {
        try (var other = new RandomAccessFile(file.toFile(), "rw")) {
          other.setLength(2 * GIB);
        }
        refused(Errno.EEXIST, () -> restore(world, name, false, false, () -> false).to(file));
        Files.delete(file);
      }
      Restore.Done done = restore(world, name, false, false, () -> false).to(file);
      assertThat(done.resumedAt()).isZero();
      assertThat(world.model(name).mismatch(file)).isEqualTo(-1);
      Files.delete(file);
    }
  }

  @Test
  void aRestoreThatCouldNotBeBegunIsNoObstacleToTheNext() throws IOException {
    BackupWorld world = twoPoints(16 * MIB);
    Path file = world.newFile();
    Path obstacle =
        file.resolveSibling(file.getFileName() + Restore.UNFINISHED + StateFile.UNFINISHED);
    Files.createFile(Files.createDirectory(obstacle).resolve("full"));
    refused(Errno.EIO, () -> restore(world, "", false, false, () -> false).to(file));
    Files.delete(obstacle.resolve("full"));
    restore(world, "", false, false, () -> false).to(file);
    assertThat(world.model(world.points().find("").name()).mismatch(file)).isEqualTo(-1);
  }

  @Test
  void whatWasBegunIsNotTakenForWhatIsThereNow() throws IOException {
    BackupWorld world = twoPoints(16 * MIB);
    String first = world.points().all().getFirst().name();
    String second = world.points().all().getLast().name();
    Path file = world.newFile();
    var asked = new AtomicInteger();
    refused(
        Errno.ECANCELED,
        () -> restore(world, first, false, false, () -> asked.incrementAndGet() > 4).to(file));
    Path record = file.resolveSibling(file.getFileName() + Restore.UNFINISHED);
    assertThat(record).exists();

    // Another file of that name is somebody's.
    Path other = Files.write(world.newFile(), Bytes.repeated('x', 16 * MIB));
    Files.move(other, file, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    refused(Errno.EEXIST, () -> restore(world, first, false, false, () -> false).to(file));
    assertThat(file).hasBinaryContent(Bytes.repeated('x', 16 * MIB));

    // Nor does the record of one restore outlive another one.
    restore(world, second, false, true, () -> false).to(file);
    assertThat(world.model(second).mismatch(file)).isEqualTo(-1);
    assertThat(record).doesNotExist();
    refused(Errno.EEXIST, () -> restore(world, first, false, false, () -> false).to(file));
  }

  @Test
  void tellsHowManyBytesItReadAndWrote() throws IOException {
    BackupWorld world = twoPoints(16 * MIB);
    List<BackupOptions.Position> told = new ArrayList<>();
    var load = new BackupOptions.Load(2, OptionalLong.empty(), told::add, () -> false);
    Manifest point = world.backup(new BackupOptions(true, Compression.NONE, false, load), false);
    BackupOptions.Position last = told.getLast();
    assertThat(last.total()).isEqualTo(16 * MIB);
    assertThat(last.amounts())
        .containsExactly(
            new BackupOptions.Amount("read", point.readBytes()),
            new BackupOptions.Amount("changed", point.changedBytes()),
            new BackupOptions.Amount("stored", point.file().storedBytes()));

    DevicePoints points = world.points();
    var way = new Restore.Way(false, false);
    Restore.Done done =
        new Restore(points, points.find(point.name()), way, load).to(world.newFile());
    assertThat(told.getLast().amounts())
        .containsExactly(
            new BackupOptions.Amount("read", done.readBytes()),
            new BackupOptions.Amount("written", done.writtenBytes()));
    assertThat(done.writtenBytes()).isPositive();
  }

  @Test
  void writesToAnExportAndLeavesTheRestOfALargerOne() throws IOException {
    BackupWorld world = twoPoints(16 * MIB);
    String name = world.points().find("").name();
    MemoryDevice larger = MemoryDevice.ofSize(17 * MIB);
    larger.set(0, Bytes.repeated('x', 17 * MIB));
    try (var served = new ServedDisk(larger, directory.resolve("s").resolve("larger"))) {
      refused(
          Errno.EFBIG, () -> restore(world, name, false, false, () -> false).to(served.address()));
      restore(world, name, false, true, () -> false).to(served.address());
    }
    ByteBuffer wanted = ByteBuffer.allocate(16 * MIB);
    world.model(name).read(0, wanted);
    assertThat(ByteBuffer.wrap(larger.content(), 0, 16 * MIB)).isEqualTo(wanted.flip());
    assertThat(larger.content()[16 * MIB]).isEqualTo((byte) 'x');

    MemoryDevice smaller = MemoryDevice.ofSize(15 * MIB);
    try (var served = new ServedDisk(smaller, directory.resolve("s").resolve("smaller"))) {
      refused(
          Errno.ENOSPC, () -> restore(world, name, false, true, () -> false).to(served.address()));
    }
  }

  @Test
  void aPointIsServedAndComparedAsItWas() throws IOException {
    BackupWorld world = twoPoints(16 * MIB + 512);
    DevicePoints points = world.points();
    Manifest first = points.all().getFirst();
    Path socket = directory.resolve("s").resolve("open");
    try (PointExport _ = PointExport.open(points, first, socket, new blksnap.log.LogRing())) {
      var address =
          new blksnap.nbdclient.NbdAddress(
              java.net.UnixDomainSocketAddress.of(socket), PointExport.exportName(first));
      try (NbdClient client = NbdClient.connect(address)) {
        assertThat(client.readOnly()).isTrue();
        assertThat(client.sizeBytes()).isEqualTo(16 * MIB + 512);
        ByteBuffer read = ByteBuffer.allocate(16 * MIB + 512);
        client.read(0, read);
        ByteBuffer wanted = ByteBuffer.allocate(16 * MIB + 512);
        world.model(first.name()).read(0, wanted);
        assertThat(read.flip()).isEqualTo(wanted.flip());
      }
      var verification = new Verification(world.store, points, BackupOptions.Load.DEFAULT);
      assertThat(verification.compare(first, address)).isEmpty();
      assertThat(verification.compare(points.all().getLast(), address))
          .isEqualTo(Optional.of((long) MIB));
    }
  }

  @Test
  void aRawPointIsTheDiskItselfAndStandsAlone() throws IOException {
    BackupWorld world = twoPoints(16 * MIB + 512);
    var raw = new BackupOptions(false, Compression.NONE, true, BackupOptions.Load.DEFAULT);
    Manifest point = world.backup(raw, false);
    assertThat(world.model(point.name()).mismatch(world.path(point.name() + ".raw"))).isEqualTo(-1);
    Manifest next = world.backup(BackupWorld.PLAIN, true);
    assertThat(next.kind()).isEqualTo(Manifest.Kind.FULL);
    world.requireAllGood("raw");
  }

  @ParameterizedTest
  @EnumSource(Compression.class)
  void compressionSavesWhatItCanAndQemuReadsIt(Compression compression) throws IOException {
    Random random = Seeds.ofRun().random();
    var world = new BackupWorld(directory, 16 * MIB);
    byte[] words = new byte[4 * MIB];
    for (int i = 0; i < words.length; i++) {
      words[i] = (byte) ('a' + random.nextInt(4));
    }
    world.disk.put(0, words);
    world.disk.put(8 * MIB, BackupWorld.random(random, 2 * MIB));
    var options = new BackupOptions(false, compression, false, BackupOptions.Load.DEFAULT);
    Manifest full = world.backup(options, false);
    assertThat(full.compression()).isEqualTo(compression);
    long saved = full.changedBytes() - full.file().storedBytes();
    if (compression == Compression.NONE) {
      assertThat(saved).isZero();
    } else {
      assertThat(saved).isBetween(2L * MIB, 4L * MIB); // two bits of eight, and nothing of noise
    }
    world.disk.put(MIB, Bytes.repeated('z', MIB));
    world.disk.put(9 * MIB - 512, BackupWorld.random(random, 2048));
    world.backup(options, true);
    world.requireAllGood(compression.toString());
  }

  @Test
  void scatteredBlocksShareTheClustersOfTheFile() throws IOException {
    Random random = Seeds.ofRun().random();
    var world = new BackupWorld(directory, 2 * GIB);
    world.backup(BackupWorld.PLAIN, false);
    for (int i = 0; i < 1000; i++) {
      world.disk.put(random.nextLong(2 * GIB / 4096) * 4096, BackupWorld.random(random, 4096));
    }
    Manifest point = world.backup(BackupWorld.PLAIN, true);
    assertThat(point.changedBytes()).isGreaterThan(3 * MIB);
    // 1000 clusters of their own would be 125 MiB.
    assertThat(world.path(point.name() + ".qcow2"))
        .satisfies(path -> assertThat(Files.size(path)).isLessThan(12 * MIB));
    world.requireGood(point.name(), "scattered");
  }
}
