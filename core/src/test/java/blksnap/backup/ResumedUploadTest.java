package blksnap.backup;

import static blksnap.testing.Refusals.refused;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.qcow2.Compression;
import blksnap.testing.Bytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Uploads to a store of objects that were cut off, and what the next backup makes of them. */
class ResumedUploadTest {
  private static final String DEVICE = BackupWorld.DEVICE;
  private static final String LOCK = DEVICE + "/.lock";
  private static final long DISK = 8 << 20;

  /** Of content that nothing can be left out of: seven parts and some. */
  private static final int CONTENT = 7 * MemoryObjects.PART_BYTES + 4096;

  @TempDir private Path directory;

  private MemoryObjects objects = new MemoryObjects();
  private BackupWorld world;
  private Path spool;
  private Path records;
  private int seed;
  private int rounds;

  @BeforeEach
  void begin() throws IOException {
    Path round = Files.createDirectory(directory.resolve("r" + rounds++));
    objects = new MemoryObjects();
    world = new BackupWorld(round, DISK);
    spool = Files.createDirectory(round.resolve("spool"));
    records = round.resolve("records");
  }

  /** What one backup did. */
  private record Made(Manifest point, List<String> notes) {}

  private Made backUp(ObjectStore into) throws IOException {
    return backUp(into, BackupWorld.PATH, BackupWorld.PLAIN);
  }

  private Made backUp(ObjectStore into, String path, BackupOptions options) throws IOException {
    SparseDisk frozen = world.disk.copy();
    var store = new ObjectBackups(into, spool, records);
    try (ServedDisk served = world.serve(frozen);
        DeviceBackup backup = DeviceBackup.begin(store, DEVICE, path, options)) {
      backup.copy(image(served), UUID.randomUUID());
      backup.keep();
      Manifest point = backup.publish();
      backup.commit();
      world.models.put(point.name(), frozen);
      return new Made(point, backup.notes());
    }
  }

  private static DeviceBackup.Image image(ServedDisk served) {
    return new DeviceBackup.Image(
        served.address(),
        BackupWorld.START,
        Optional.empty(),
        0,
        "crash-consistent",
        Optional.empty());
  }

  private void change(int bytes) {
    world.disk.put(0, Bytes.pattern(++seed, 0, bytes));
  }

  /** A first point, a change, and a backup of it that the store is gone for; what the disk was. */
  private SparseDisk cutOff(int changes) throws IOException {
    change(10_000);
    var _ = backUp(objects);
    change(CONTENT);
    return cutOffNow(changes);
  }

  private SparseDisk cutOffNow(int changes) {
    SparseDisk then = world.disk.copy();
    assertThatThrownBy(() -> backUp(new DyingObjects(objects, changes, true)))
        .isInstanceOf(IOException.class);
    objects.delete(LOCK); // its process is gone
    change(5_000);
    return then;
  }

  private List<Path> files(Path place) throws IOException {
    try (Stream<Path> all = Files.walk(place)) {
      return all.filter(Files::isRegularFile).sorted().toList();
    }
  }

  /** Every point is what the disk was, and nothing else is left anywhere. */
  private void requireOnly(int points, String hint) throws IOException {
    var store = new ObjectBackups(objects, spool, records);
    DevicePoints found = DevicePoints.load(store, DEVICE);
    assertThat(found.damaged()).as(hint).isEmpty();
    assertThat(found.all()).as(hint).hasSize(points);
    assertThat(store.files(DEVICE))
        .filteredOn(file -> !file.endsWith(PointNames.VERIFIED))
        .as(hint)
        .hasSize(3 * points);
    var verification = new Verification(store, found, BackupOptions.Load.DEFAULT);
    for (Manifest point : found.all()) {
      assertThat(verification.verify(point)).as(hint).isEmpty();
      Path file = world.newFile();
      new Restore(found, point, new Restore.Way(false, false), BackupOptions.Load.DEFAULT).to(file);
      assertThat(world.model(point.name()).mismatch(file)).as(hint).isEqualTo(-1);
      Files.delete(file);
    }
    assertThat(objects.uploads()).as(hint).isZero();
    assertThat(spool).as(hint).isEmptyDirectory();
    assertThat(files(records)).as(hint).isEmpty();
  }

  @Test
  void anUploadThatIsCutOffAtAnyCallIsFinishedByTheNextBackupWithoutSendingAnythingTwice()
      throws IOException {
    int resumed = 0;
    int begunAnew = 0;
    for (boolean lastIsMade : new boolean[] {false, true}) {
      for (int changes = 0; ; changes++) {
        String hint = "after " + changes + " changes" + (lastIsMade ? ", the last one made" : "");
        begin();
        change(10_000);
        var _ = backUp(objects);
        change(CONTENT);
        var dying = new DyingObjects(objects, changes, lastIsMade);
        SparseDisk then = world.disk.copy();
        try {
          var _ = backUp(dying);
        } catch (IOException e) {
          assertThat(dying.isDead()).as("%s: %s", hint, e).isTrue();
        }
        boolean cutOff = dying.isDead();
        objects.delete(LOCK);
        int before = 1 + (hasSecondPoint() ? 1 : 0);
        boolean kept = files(records).size() == 1 && before == 1;

        change(5_000);
        Made next = backUp(objects);
        assertThat(objects.again()).as(hint).isZero();
        assertThat(objects.sent()).as(hint).isEqualTo(storedBytes());
        assertThat(next.point.kind()).as(hint).isEqualTo(Manifest.Kind.INCREMENT);
        int points = before + 1;
        if (kept) {
          resumed++;
          points++;
          assertThat(next.notes).as(hint).singleElement().asString().contains("was finished");
        } else {
          begunAnew++;
          assertThat(next.notes).as(hint).isEmpty();
        }
        if (points == 3) {
          String second = points().get(1).name();
          world.models.put(second, then);
        }
        requireOnly(points, hint);
        if (!cutOff) {
          break;
        }
      }
    }
    assertThat(resumed).isGreaterThan(2 * 8); // each part at least
    assertThat(begunAnew).isGreaterThan(2);
  }

  /** Of the files of all points. */
  private long storedBytes() throws IOException {
    return points().stream()
        .mapToLong(point -> point.file().bytes() + point.file().hashesBytes())
        .sum();
  }

  private List<Manifest> points() throws IOException {
    return DevicePoints.load(new ObjectBackups(objects, spool, records), DEVICE).all();
  }

  private boolean hasSecondPoint() throws IOException {
    return points().size() > 1;
  }

  /** So that some parts are there, and others are not: lock, begin, hashes, two parts. */
  private static final int INTO_PARTS = 4;

  @Test
  void whatWaitsIsOursAlone() throws IOException {
    var _ = cutOff(INTO_PARTS);
    assertThat(objects.parts()).isPositive();
    for (Path file : files(spool)) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
          .isEqualTo("rw-------");
    }
    for (Path file : files(records)) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
          .isEqualTo("rw-------");
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file.getParent())))
          .isEqualTo("rwx------");
    }
    assertThat(files(spool)).hasSize(2);
    assertThat(files(records)).hasSize(1);
  }

  private void requireGivenUp(String reason) throws IOException {
    int before = points().size();
    Made next = backUp(objects);
    assertThat(next.notes).singleElement().asString().contains("is not gone on with", reason);
    requireOnly(before + 1, reason);
  }

  @Test
  void aPointThatAnotherMachineHasOvertakenIsGivenUp() throws IOException {
    var _ = cutOff(INTO_PARTS);
    Path here = records;
    records = directory.resolve("another-machine");
    var _ = backUp(objects);
    assertThat(objects.uploads()).isZero(); // it has given that up
    records = here;
    change(3_000);
    requireGivenUp("there is a newer one");
  }

  @Test
  void aPointWhosePredecessorIsGoneIsGivenUp() throws IOException {
    var _ = cutOff(INTO_PARTS);
    objects.delete(DEVICE + "/" + points().getFirst().name() + PointNames.MANIFEST);
    requireGivenUp("the point before it is gone");
  }

  @Test
  void aPointWhoseFileWasDamagedIsGivenUp() throws IOException {
    var _ = cutOff(INTO_PARTS);
    for (Path file : files(spool)) {
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
        channel.write(ByteBuffer.wrap("other".getBytes(US_ASCII)), channel.size() - 5);
      }
    }
    requireGivenUp("is not what it was");
  }

  @Test
  void aPointWhoseFileWasCutOrRemovedIsGivenUp() throws IOException {
    var _ = cutOff(INTO_PARTS);
    for (Path file : files(spool)) {
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
        channel.truncate(channel.size() - 1);
      }
    }
    requireGivenUp("is not what it was");
    change(CONTENT);
    var _ = cutOffNow(INTO_PARTS);
    for (Path file : files(spool)) {
      Files.delete(file);
    }
    requireGivenUp("is gone");
  }

  @Test
  void aPointWhoseRecordIsDamagedIsGivenUp() throws IOException {
    var _ = cutOff(INTO_PARTS);
    Path record = files(records).getFirst();
    byte[] content = Files.readAllBytes(record);
    content[content.length - 1] ^= 1;
    Files.write(record, content);
    Made next = backUp(objects);
    assertThat(next.notes).singleElement().asString().contains("the record of it is damaged");
    for (Path file : files(spool)) {
      Files.delete(file); // nobody knows whose they are
    }
    requireOnly(2, "damaged record");
  }

  @Test
  void aPointOfAnotherDiskIsGivenUp() throws IOException {
    change(CONTENT);
    SparseDisk _ = cutOffNow(INTO_PARTS);
    Made next = backUp(objects, "/srv/other.img", BackupWorld.PLAIN);
    assertThat(next.point.kind()).isEqualTo(Manifest.Kind.FULL);
    assertThat(next.notes).singleElement().asString().contains(BackupWorld.PATH, "/srv/other.img");
    requireOnly(1, "another disk");
  }

  @Test
  void pointsOfSeveralDevicesThatWereCopiedAreAllFinished() throws IOException {
    var dying = new DyingObjects(objects, 2 * INTO_PARTS, true);
    var store = new ObjectBackups(dying, spool, records);
    change(CONTENT);
    SparseDisk then = world.disk.copy();
    UUID run = UUID.randomUUID();
    assertThatThrownBy(
            () -> {
              try (var served = world.serve(then);
                  var one = DeviceBackup.begin(store, DEVICE, BackupWorld.PATH, BackupWorld.PLAIN);
                  var two = DeviceBackup.begin(store, "vm2", "/srv/vm2.img", BackupWorld.PLAIN)) {
                one.copy(image(served), run);
                two.copy(image(served), run);
                one.keep();
                two.keep();
                one.publish();
                two.publish();
              }
            })
        .isInstanceOf(IOException.class);
    objects.delete(LOCK);
    objects.delete("vm2/.lock");
    var next = new ObjectBackups(objects, spool, records);
    List<String> notes = new ArrayList<>();
    try (var one = DeviceBackup.begin(next, DEVICE, BackupWorld.PATH, BackupWorld.PLAIN);
        var two = DeviceBackup.begin(next, "vm2", "/srv/vm2.img", BackupWorld.PLAIN)) {
      notes.addAll(one.notes());
      notes.addAll(two.notes());
    }
    assertThat(notes).hasSize(2).allMatch(note -> note.contains("was finished"));
    for (String device : List.of(DEVICE, "vm2")) {
      DevicePoints points = DevicePoints.load(next, device);
      Manifest point = points.find("");
      assertThat(point.run()).isEqualTo(run);
      assertThat(new Verification(next, points, BackupOptions.Load.DEFAULT).verify(point))
          .isEmpty();
    }
    assertThat(objects.again()).isZero();
    assertThat(spool).isEmptyDirectory();
  }

  @Test
  void aPruneInBetweenTakesNothingAway() throws IOException {
    change(10_000);
    var _ = backUp(objects);
    SparseDisk then = cutOff(INTO_PARTS);
    int there = objects.parts();
    assertThat(there).isPositive();
    var store = new ObjectBackups(objects, spool, records);
    var policy = new Prune.Policy(1, 0, 0, 0);
    new Prune(store, DEVICE, policy, ZoneOffset.UTC, BackupOptions.Load.DEFAULT).run();
    assertThat(objects.parts()).isEqualTo(there);
    Made next = backUp(objects);
    assertThat(next.notes).singleElement().asString().contains("was finished");
    world.models.put(points().get(1).name(), then);
    requireOnly(3, "pruned");
  }

  private static BackupOptions options(BooleanSupplier cancelled, BackupOptions.Listener listener) {
    return new BackupOptions(
        false,
        Compression.NONE,
        false,
        new BackupOptions.Load(2, OptionalLong.empty(), listener, cancelled));
  }

  @Test
  void anUploadThatIsCancelledIsFinishedByTheNextBackup() throws IOException {
    change(CONTENT);
    SparseDisk then = world.disk.copy();
    BooleanSupplier cancelled = () -> objects.parts() > 2;
    BlkSnapException refusal =
        refused(
            Errno.ECANCELED, () -> backUp(objects, BackupWorld.PATH, options(cancelled, _ -> {})));
    assertThat(refusal.hint()).contains("goes on");
    assertThat(objects.find(LOCK)).isEmpty();
    assertThat(points()).isEmpty();
    change(5_000);
    // Whoever cancels once more loses nothing.
    refused(Errno.ECANCELED, () -> backUp(objects, BackupWorld.PATH, options(cancelled, _ -> {})));
    Made next = backUp(objects);
    assertThat(next.notes).singleElement().asString().contains("was finished");
    assertThat(next.point.kind()).isEqualTo(Manifest.Kind.INCREMENT);
    world.models.put(points().getFirst().name(), then);
    assertThat(objects.again()).isZero();
    requireOnly(2, "cancelled");
  }

  @Test
  void tellsHowFarTheUploadIs() throws IOException {
    change(CONTENT);
    List<BackupOptions.Position> told = new ArrayList<>();
    Made made = backUp(objects, BackupWorld.PATH, options(() -> false, told::add));
    List<BackupOptions.Position> uploads =
        told.stream().filter(one -> one.stage().equals("uploading " + DEVICE)).toList();
    long bytes = made.point.file().bytes() + made.point.file().hashesBytes();
    assertThat(uploads).isNotEmpty().allMatch(one -> one.total() == bytes);
    assertThat(uploads.getLast().done()).isEqualTo(bytes);
    assertThat(uploads.getLast().amounts())
        .containsExactly(new BackupOptions.Amount("sent", bytes));
  }

  @Test
  void whatAKillLeavesOfACopyIsRemoved() throws IOException {
    var killed = new ObjectBackups(objects, spool, records);
    killed.draft(DEVICE, "20260101T000000Z.qcow2").file().close(); // as the kernel does it
    assertThat(files(spool)).hasSize(1);
    Path record = files(records).getFirst();
    Files.write(record.resolveSibling("half.unsent.new"), new byte[3]);
    change(CONTENT);
    var _ = backUp(objects);
    requireOnly(1, "after a kill");
  }

  @Test
  void aLeaseThatIsLostWhileAPointIsUploadedPublishesNothing() throws IOException {
    change(CONTENT);
    var stolen = new AtomicBoolean();
    BooleanSupplier thief =
        () -> {
          if (objects.parts() > 1 && !stolen.getAndSet(true)) {
            objects.delete(LOCK);
          }
          return false;
        };
    refused(Errno.EBUSY, () -> backUp(objects, BackupWorld.PATH, options(thief, _ -> {})), ".lock");
    assertThat(stolen).isTrue();
    assertThat(points()).isEmpty();
  }
}
