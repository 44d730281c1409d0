package blksnap.backup;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.error.Errno;
import blksnap.qcow2.ByteFile;
import blksnap.state.Fields;
import blksnap.state.SealedJson;
import blksnap.testing.Bytes;
import blksnap.testing.Seeds;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Backups in a store of objects. */
class ObjectBackupsTest {
  private static final String LOCK = BackupWorld.DEVICE + "/.lock";

  @TempDir private Path directory;

  private final MemoryObjects objects = new MemoryObjects();
  private Path spool;
  private Path records;
  private ObjectBackups store;

  @BeforeEach
  void open() throws IOException {
    spool = Files.createDirectory(directory.resolve("spool"));
    records = directory.resolve("records");
    store = new ObjectBackups(objects, spool, records);
  }

  private Manifest backUp(BackupWorld world, Map<String, SparseDisk> models) throws IOException {
    return world.backUpByContent(store, models);
  }

  private void requireGood(BackupWorld world, Map<String, SparseDisk> models, String hint)
      throws IOException {
    DevicePoints points = DevicePoints.load(store, BackupWorld.DEVICE);
    var verification = new Verification(store, points, BackupOptions.Load.DEFAULT);
    for (Manifest point : points.all()) {
      assertThat(verification.verify(point)).as("%s", hint).isEmpty();
      Path file = world.newFile();
      new Restore(points, point, new Restore.Way(false, false), BackupOptions.Load.DEFAULT)
          .to(file);
      SparseDisk model = Objects.requireNonNull(models.get(point.name()));
      assertThat(model.mismatch(file)).as("%s", hint).isEqualTo(-1);
    }
  }

  @Test
  void pointsAreMadeVerifiedRestoredAndPruned() throws IOException {
    var seed = Seeds.ofRun();
    Random random = seed.random();
    Map<String, SparseDisk> models = new LinkedHashMap<>();
    var world = new BackupWorld(directory, 64 << 20);
    for (int i = 0; i < 4; i++) {
      world.change(random, 15);
      Manifest point = backUp(world, models);
      assertThat(point.kind()).isEqualTo(i == 0 ? Manifest.Kind.FULL : Manifest.Kind.INCREMENT);
    }
    assertThat(store.devices()).containsExactly(BackupWorld.DEVICE);
    requireGood(world, models, seed.toString());

    var policy = new Prune.Policy(2, 0, 0, 0);
    new Prune(store, BackupWorld.DEVICE, policy, ZoneOffset.UTC, BackupOptions.Load.DEFAULT).run();
    assertThat(DevicePoints.load(store, BackupWorld.DEVICE).all()).hasSize(2);
    requireGood(world, models, seed + " pruned");
    assertThat(store.files(BackupWorld.DEVICE)).hasSize(2 * 4); // with what verify found
    assertThat(objects.find(LOCK)).isEmpty();
    assertThat(spool).isEmptyDirectory();
    assertThat(records).isEmptyDirectory();
    assertThat(objects.uploads()).isZero();
  }

  @Test
  void aDeviceThatIsLockedIsRefused() throws IOException {
    try (Closeable _ = store.lock(BackupWorld.DEVICE)) {
      var other = new ObjectBackups(objects, spool, records);
      refused(Errno.EBUSY, () -> other.lock(BackupWorld.DEVICE), LOCK);
      other.lock("vm2").close();
    }
    store.lock(BackupWorld.DEVICE).close();
    assertThat(objects.find(LOCK)).isEmpty();
  }

  private void lockBy(String host, long pid) {
    var fields = new Fields().put("owner", UUID.randomUUID().toString());
    objects.put(LOCK, SealedJson.write("blksnap_lock", fields.put("host", host).put("pid", pid)));
  }

  @Test
  void theLockOfOneWhoIsGoneIsTakenOver() throws IOException {
    long dead = 1L << 40; // no process has such a number
    lockBy(InetAddress.getLocalHost().getHostName(), dead);
    store.lock(BackupWorld.DEVICE).close();

    lockBy("elsewhere", dead);
    refused(Errno.EBUSY, () -> store.lock(BackupWorld.DEVICE), LOCK);
    objects.pass(ObjectLease.HOLDS);
    refused(Errno.EBUSY, () -> store.lock(BackupWorld.DEVICE), LOCK);
    objects.pass(java.time.Duration.ofSeconds(1));
    store.lock(BackupWorld.DEVICE).close();
  }

  @Test
  void whoHasLostTheLockChangesNothing() throws IOException {
    Closeable lock = store.lock(BackupWorld.DEVICE);
    lockBy("elsewhere", 1);
    byte[] theirs = objects.content(LOCK);
    refused(Errno.EBUSY, () -> store.write(BackupWorld.DEVICE, "file", new byte[1]), LOCK);
    assertThat(store.files(BackupWorld.DEVICE)).isEmpty();
    lock.close();
    assertThat(objects.content(LOCK)).isEqualTo(theirs);
  }

  @Test
  void readsAnywhereAndNeverOfTwoVersions() throws IOException {
    byte[] content = Bytes.pattern(1, 0, 3 * ObjectBackups.BLOCK_BYTES + 7);
    objects.put("vm1/file", content);
    try (ByteFile file = store.open("vm1", "file")) {
      assertThat(file.sizeBytes()).isEqualTo(content.length);
      var part = ByteBuffer.allocateDirect(ObjectBackups.BLOCK_BYTES + 20);
      file.read(2 * ObjectBackups.BLOCK_BYTES - 13, part);
      assertThat(part.flip())
          .isEqualTo(ByteBuffer.wrap(content, 2 * ObjectBackups.BLOCK_BYTES - 13, part.capacity()));
      refused(
          Errno.EBADMSG,
          () -> file.read(content.length - 1, ByteBuffer.allocateDirect(2)),
          "vm1/file ends at " + content.length);
      objects.put("vm1/file", Bytes.pattern(2, 0, content.length));
      refused(Errno.EIO, () -> file.read(0, ByteBuffer.allocateDirect(1)), "replaced");
    }
    refused(Errno.ENOENT, () -> store.open("vm1", "none"), "s3://memory/m/vm1/none");
    refused(Errno.EFBIG, () -> store.read("vm1", "file", 10), Integer.toString(content.length));
  }
}
