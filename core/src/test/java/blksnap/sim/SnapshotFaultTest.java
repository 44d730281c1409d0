package blksnap.sim;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cbt.CbtGeometry;
import blksnap.cbt.CbtMap;
import blksnap.cbt.WriteIntent;
import blksnap.diffarea.AreaConfig;
import blksnap.diffarea.AreaListener;
import blksnap.diffarea.DiffArea;
import blksnap.diffarea.FullPolicy;
import blksnap.diffarea.ImageReader;
import blksnap.diffio.DiffIo;
import blksnap.diffstorage.DiffStorage;
import blksnap.diffstorage.StorageListener;
import blksnap.diffstorage.StorageTable;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import blksnap.param.Parameter;
import blksnap.param.Parameters;
import blksnap.sector.ByteRange;
import blksnap.testing.Bytes;
import blksnap.testing.FaultyDevice;
import blksnap.testing.FaultyDevice.Kind;
import blksnap.testing.Seeds;
import blksnap.testing.SimDevice;
import blksnap.tracker.TrackedDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.UUID;
import java.util.function.LongFunction;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The same scenario with the n-th call to the original failing, n = 0, 1, 2 and on, until it passes
 * untouched. Whatever fails: every acknowledged write is there, an image shows the old bytes or
 * answers EIO, and every change is marked.
 */
class SnapshotFaultTest {
  private static final int BLOCK = 4096;
  private static final int SIZE = 96 * BLOCK + 3 * 512;
  private static final int OPERATIONS = 20;
  private static final StorageListener SILENT =
      new StorageListener() {
        @Override
        public void low(long requestedSectors) {
          assertThat(requestedSectors).isPositive();
        }

        @Override
        public void full(long requestedSectors) {
          assertThat(requestedSectors).isPositive();
        }
      };

  private static final AreaListener LISTENER =
      new AreaListener() {
        @Override
        public void corrupted(Errno cause, String why) {
          assertThat(why).isNotEmpty();
        }

        @Override
        public void notRemembered(String why) {
          throw new AssertionError(why);
        }

        @Override
        public void remembered() {
          throw new AssertionError("it never was forgotten");
        }
      };

  @TempDir Path directory;

  private final Seeds seed = Seeds.ofRun();

  @Test
  void keepsItsPromisesWhateverSingleCallFails() throws IOException {
    tryEach(1, FaultyDevice::failAtCall);
  }

  @Test
  void keepsItsPromisesWhateverCallIsTheLastThatWorks() throws IOException {
    tryEach(2, number -> call -> call.number() >= number);
  }

  @Test
  void keepsItsPromisesWhenReadsStopWorking() throws IOException {
    tryEach(2, number -> call -> call.number() >= number && call.kind() == Kind.READ);
  }

  private void tryEach(int step, LongFunction<Predicate<FaultyDevice.Call>> faults)
      throws IOException {
    for (long n = 0; ; n += step) {
      Path home = Files.createDirectory(directory.resolve("run" + n));
      try (var scenario = new Scenario(home, faults.apply(n), seed.random())) {
        scenario.run();
        assertThat(scenario.broken).as("fault %d, %s", n, seed).isEmpty();
        if (!scenario.original.faultFired()) {
          assertThat(scenario.images)
              .as("without a fault every image is good, %s", seed)
              .allMatch(image -> image.area.corruption().isEmpty());
          return;
        }
      }
    }
  }

  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Image(DiffArea area, ImageReader reader, byte[] atTake) {}

  /** One run; {@code broken} collects the promises that were not kept. */
  private static final class Scenario implements AutoCloseable {
    final List<String> broken = new ArrayList<>();
    final List<Image> images = new ArrayList<>();
    final FaultyDevice original;

    private volatile Optional<Kind> lastFault = Optional.empty();
    private final Path home;
    private final Random random;
    private final SimDevice disk = new SimDevice(SIZE);
    private final Parameters parameters = new Parameters();
    private final DiffIo diffIo = new DiffIo(parameters);
    private final StorageTable storages = new StorageTable(parameters, (path, status) -> {});
    private final TrackedDevice device;
    private final byte[] first = Bytes.pattern(0, 0, SIZE);
    private byte[] model = first.clone();

    Scenario(Path home, Predicate<FaultyDevice.Call> faults, Random random) throws IOException {
      this.home = home;
      this.random = random;
      parameters.set(Parameter.DIFF_STORAGE_MINIMUM, 2_048);
      Bytes.write(disk, 0, model);
      disk.discard(40 * BLOCK, 16 * BLOCK);
      Arrays.fill(model, 40 * BLOCK, 56 * BLOCK, (byte) 0);
      System.arraycopy(model, 0, first, 0, SIZE);
      original =
          new FaultyDevice(
              disk,
              call -> {
                boolean fails = faults.test(call);
                if (fails) {
                  lastFault = Optional.of(call.kind());
                }
                return fails;
              });
      var tracking =
          new TrackedDevice.Tracking(
              CbtMap.create(home.resolve("cbt"), CbtGeometry.of(SIZE, 12, 1 << 20)),
              WriteIntent.create(home.resolve("intent"), SIZE, 24, InstantSource.system()));
      device =
          new TrackedDevice(
              "vm1", original, tracking, InstantSource.system(), device -> {}, new LogRing());
    }

    void run() throws IOException {
      take();
      for (int i = 0; i < OPERATIONS; i++) {
        if (i == OPERATIONS / 2) {
          take();
        }
        change();
        for (Image image : images) {
          int offset = random.nextInt(SIZE / 512) * 512;
          check(image, offset, Math.min(SIZE - offset, 512 * (1 + random.nextInt(64))));
        }
      }
      original.heal();
      if (!Arrays.equals(Bytes.read(disk, 0, SIZE), model)) {
        broken.add("the original lost an acknowledged write");
      }
      for (Image image : images) {
        check(image, 0, SIZE);
        if (image.area.corruption().isEmpty() && !isReadable(image)) {
          broken.add("an image that is not corrupt cannot be read");
        }
      }
      checkMarks();
    }

    private void take() throws IOException {
      UUID id = UUID.randomUUID();
      DiffArea area =
          DiffArea.create(
              new AreaConfig(id, SIZE, 14, Optional.empty(), false, FullPolicy.BREAK),
              storages.create(
                  id,
                  home.resolve(id + ".diff"),
                  OptionalLong.empty(),
                  SILENT,
                  (storage, ranges) -> assertThat(ranges).isNotEmpty()),
              storages,
              diffIo,
              LISTENER);
      device.gate().close();
      try {
        device.chain().add(area);
      } finally {
        device.gate().open();
      }
      images.add(new Image(area, new ImageReader(device.chain(), area, () -> 2), model.clone()));
    }

    private void change() throws IOException {
      int offset = random.nextInt(SIZE / 512) * 512;
      int length = Math.min(SIZE - offset, 512 * (1 + random.nextInt(80)));
      byte[] before = model.clone();
      byte[] bytes = Bytes.pattern(1 + random.nextInt(1_000), offset, length);
      int kind = random.nextInt(4);
      lastFault = Optional.empty();
      try {
        switch (kind) {
          case 0 -> {
            device.writeZeroes(offset, length, random.nextBoolean());
            Arrays.fill(model, offset, offset + length, (byte) 0);
          }
          case 1 -> {
            device.discard(offset, length);
            model = Bytes.read(disk, 0, SIZE); // a discard may do as much of it as it likes
          }
          default -> {
            Bytes.write(device, offset, bytes);
            System.arraycopy(bytes, 0, model, offset, length);
          }
        }
      } catch (BlkSnapException e) {
        // Nothing but the change itself may fail, or for a discard the look at what is there.
        boolean itself =
            kind > 1
                ? lastFault.equals(Optional.of(Kind.WRITE))
                : !lastFault.equals(Optional.of(Kind.READ));
        if (!itself) {
          broken.add("a change failed since " + lastFault + " failed: " + e.sentence());
        }
        model = Bytes.read(disk, 0, SIZE);
      }
      checkOutside(before, offset, length);
    }

    private void checkOutside(byte[] before, int offset, int length) {
      byte[] outside = model.clone();
      System.arraycopy(before, offset, outside, offset, length);
      if (!Arrays.equals(outside, before)) {
        broken.add("a change of " + new ByteRange(offset, length) + " reached beyond it");
      }
    }

    private void check(Image image, int offset, int length) throws IOException {
      ByteBuffer target = ByteBuffer.allocate(length);
      try {
        image.reader.read(offset, target);
      } catch (BlkSnapException e) {
        if (e.errno() != Errno.EIO) {
          broken.add("an image answered " + e.errno());
        }
        return;
      }
      if (!Arrays.equals(
          target.array(), Arrays.copyOfRange(image.atTake, offset, offset + length))) {
        broken.add("an image showed other bytes than those of its take at " + offset);
      }
    }

    private static boolean isReadable(Image image) throws IOException {
      try {
        image.reader.read(0, ByteBuffer.allocate(SIZE));
        return true;
      } catch (BlkSnapException e) {
        return false;
      }
    }

    private void checkMarks() throws IOException {
      List<ByteRange> marked = device.readMap(map -> map.changedSince(0, 0, 1_000)).ranges();
      for (int at = 0; at < SIZE; at += 512) {
        if (!Arrays.equals(model, at, at + 512, first, at, at + 512)) {
          var sector = new ByteRange(at, 512);
          if (marked.stream().noneMatch(range -> range.intersects(sector))) {
            broken.add("the change at " + at + " is not marked");
          }
        }
      }
    }

    @Override
    public void close() throws IOException {
      device.close();
      for (DiffStorage storage : storages.all()) {
        storage.close();
      }
      assertThat(diffIo.bytesInUse()).isZero();
    }
  }
}
