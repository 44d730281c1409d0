package blksnap.sim;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cbt.CbtSnapshot;
import blksnap.cbt.ChangedRanges;
import blksnap.cbt.IntervalNumbers;
import blksnap.device.BlockDevice;
import blksnap.sector.ByteRange;
import blksnap.snapshot.Durability;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotPart;
import blksnap.testing.Seeds;
import blksnap.tracker.TrackedDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.SplittableRandom;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random operations against a plain model of byte arrays. Every image byte and every changed block
 * is checked, as the operations go and at the end. {@code -Dseed=N} repeats a run; {@code
 * -Dsim.operations=N} makes it longer.
 */
class SnapshotSimTest {
  private static final int BLOCK = 4096;
  private static final int MAX_SNAPSHOTS = 8;

  /**
   * One device: what it must read, and when each block was last touched, by number of operation.
   */
  private static final class ModelDevice {
    final TrackedDevice tracked;
    byte[] content;
    long[] touched;

    ModelDevice(TrackedDevice tracked, byte[] content) {
      this.tracked = tracked;
      this.content = content;
      this.touched = new long[blocks(content.length)];
    }
  }

  private static int blocks(int bytes) {
    return (bytes + BLOCK - 1) / BLOCK;
  }

  /** One device of a snapshot: what its image must read, what the take saw, when it was. */
  private static final class ModelImage {
    final byte[] atTake;
    final byte[] content;
    final BitSet written = new BitSet();
    final long takenAt;

    ModelImage(byte[] content, long takenAt) {
      this.atTake = content.clone();
      this.content = content.clone();
      this.takenAt = takenAt;
    }
  }

  private final Map<String, ModelDevice> devices = new LinkedHashMap<>();
  private final Map<Snapshot, Map<String, ModelImage>> snapshots = new LinkedHashMap<>();
  private SplittableRandom random = new SplittableRandom();

  @SuppressWarnings("NullAway.Init") // opened by the test, which every operation is part of
  private World world;

  private long now = 1;

  @Test
  void everyImageShowsItsMomentAndNoChangedBlockIsMissed(@TempDir Path directory)
      throws IOException {
    Seeds seed = Seeds.ofRun();
    long operations = Long.getLong("sim.operations", 10_000);
    random = new SplittableRandom(seed.value());
    try (var opened = new World(directory)) {
      world = opened;
      attach("vm1", 300 * BLOCK + 512 * 3);
      attach("vm2", 150 * BLOCK);
      for (long i = 0; i < operations; i++) {
        now++;
        try {
          step();
        } catch (IOException | RuntimeException | AssertionError e) {
          throw new AssertionError(seed + ", operation " + i + ": " + e.getMessage(), e);
        }
      }
      try {
        checkAll();
      } catch (IOException | RuntimeException | AssertionError e) {
        throw new AssertionError(seed + ", at the end: " + e.getMessage(), e);
      }
      for (Snapshot snapshot : new ArrayList<>(snapshots.keySet())) {
        destroy(snapshot);
      }
      assertThat(world.storages().all()).as("storages left, %s", seed).isEmpty();
      assertThat(world.diffIo().bytesInUse()).isZero();
    }
  }

  private void attach(String name, int bytes) throws IOException {
    byte[] content = new byte[bytes];
    for (int at = 0; at < bytes; at += 8 * BLOCK) { // leaves holes in between
      fill(content, at, Math.min(5 * BLOCK, bytes - at));
    }
    var attached = world.attach(name, content);
    devices.put(name, new ModelDevice(attached.device(), content));
  }

  private void fill(byte[] bytes, int at, int length) {
    byte[] random = new byte[length];
    this.random.nextBytes(random);
    System.arraycopy(random, 0, bytes, at, length);
  }

  private void step() throws IOException {
    int dice = random.nextInt(1000);
    if (dice < 400) {
      write();
    } else if (dice < 460) {
      zero();
    } else if (dice < 500) {
      discard();
    } else if (dice < 560) {
      take();
    } else if (dice < 610) {
      destroyAny();
    } else if (dice < 760) {
      changeImage();
    } else if (dice < 790) {
      mark();
    } else if (dice < 800) {
      resize();
    } else if (dice < 960) {
      checkSomeRange();
    } else if (dice < 995) {
      checkMaps();
    } else {
      checkAll();
    }
  }

  private ModelDevice device(String name) {
    return Objects.requireNonNull(devices.get(name));
  }

  private ModelDevice anyDevice() {
    List<ModelDevice> all = new ArrayList<>(devices.values());
    return all.get(random.nextInt(all.size()));
  }

  /** A place on a device, mostly small, at times large, at times on block edges. */
  private ByteRange anyRange(int size) {
    int most = random.nextInt(20) == 0 ? size : random.nextInt(4) == 0 ? 20 * BLOCK : 3 * BLOCK;
    int length = 1 + random.nextInt(Math.min(size, most));
    int offset = random.nextInt(size - length + 1);
    if (random.nextBoolean()) {
      offset = offset / BLOCK * BLOCK;
      length = Math.min(size - offset, (length + BLOCK - 1) / BLOCK * BLOCK);
    }
    return new ByteRange(offset, length);
  }

  private void write() throws IOException {
    ModelDevice device = anyDevice();
    ByteRange range = anyRange(device.content.length);
    fill(device.content, (int) range.offset(), (int) range.length());
    device.tracked.write(range.offset(), direct(device.content, range));
    touch(device, range);
  }

  private static ByteBuffer direct(byte[] content, ByteRange range) {
    return ByteBuffer.allocateDirect((int) range.length())
        .put(content, (int) range.offset(), (int) range.length())
        .flip();
  }

  private void touch(ModelDevice device, ByteRange range) {
    int first = (int) (range.offset() / BLOCK);
    int end = (int) ((range.end() - 1) / BLOCK) + 1;
    Arrays.fill(device.touched, first, end, now);
  }

  private void zero() throws IOException {
    ModelDevice device = anyDevice();
    ByteRange range = anyRange(device.content.length);
    Arrays.fill(device.content, (int) range.offset(), (int) range.end(), (byte) 0);
    device.tracked.writeZeroes(range.offset(), range.length(), random.nextBoolean());
    touch(device, range);
  }

  private void discard() throws IOException {
    ModelDevice device = anyDevice();
    ByteRange range = anyRange(device.content.length);
    device.tracked.discard(range.offset(), range.length());
    touch(device, range);
    // What a discarded range reads as is the file system's choice; the model takes it over.
    byte[] after = read(device.tracked, range.offset(), (int) range.length());
    byte[] before = Arrays.copyOfRange(device.content, (int) range.offset(), (int) range.end());
    for (int i = 0; i < after.length; i++) {
      assertThat(after[i]).isIn(before[i], (byte) 0);
    }
    System.arraycopy(after, 0, device.content, (int) range.offset(), after.length);
  }

  private static byte[] read(BlockDevice device, long offset, int length) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocateDirect(length);
    device.read(offset, buffer);
    byte[] bytes = new byte[length];
    buffer.flip().get(bytes);
    return bytes;
  }

  private void take() throws IOException {
    if (snapshots.size() == MAX_SNAPSHOTS) {
      destroyAny();
      return;
    }
    String[] names =
        switch (random.nextInt(3)) {
          case 0 -> new String[] {"vm1"};
          case 1 -> new String[] {"vm2"};
          default -> new String[] {"vm2", "vm1"};
        };
    Durability[] levels = Durability.values();
    Durability durability = random.nextInt(20) == 0 ? Durability.POWER : levels[random.nextInt(2)];
    Snapshot snapshot = world.take(durability, names);
    Map<String, ModelImage> images = new LinkedHashMap<>();
    for (String name : names) {
      ModelDevice device = device(name);
      images.put(name, new ModelImage(device.content, now));
    }
    snapshots.put(snapshot, images);
  }

  private void destroyAny() throws IOException {
    if (!snapshots.isEmpty()) {
      List<Snapshot> all = new ArrayList<>(snapshots.keySet());
      destroy(all.get(random.nextInt(all.size())));
    }
  }

  private void destroy(Snapshot snapshot) throws IOException {
    world.snapshots().destroy(snapshot);
    snapshots.remove(snapshot);
  }

  /** One image and its model. */
  private record Image(String device, SnapshotPart.Taken part, ModelImage model) {}

  private List<Image> images() {
    List<Image> images = new ArrayList<>();
    snapshots.forEach((snapshot, models) ->
        models.forEach((device, model) ->
            images.add(
                new Image(
                    device, (SnapshotPart.Taken) snapshot.part(device).orElseThrow(), model))));
    return images;
  }

  private void changeImage() throws IOException {
    List<Image> images = images();
    if (images.isEmpty()) {
      return;
    }
    Image image = images.get(random.nextInt(images.size()));
    byte[] content = image.model.content;
    ByteRange range = anyRange(content.length);
    if (random.nextInt(4) == 0) {
      Arrays.fill(content, (int) range.offset(), (int) range.end(), (byte) 0);
      image.part.image().writeZeroes(range.offset(), range.length(), random.nextBoolean());
    } else {
      fill(content, (int) range.offset(), (int) range.length());
      image.part.image().write(range.offset(), direct(content, range));
    }
    image.model.written.set((int) (range.offset() / BLOCK), (int) ((range.end() - 1) / BLOCK) + 1);
    ModelDevice device = device(image.device);
    if (range.offset() < device.content.length) {
      touch(
          device,
          new ByteRange(
              range.offset(), Math.min(range.length(), device.content.length - range.offset())));
    }
  }

  private void mark() {
    ModelDevice device = anyDevice();
    ByteRange range = anyRange(device.content.length);
    device.tracked.markChanged(range.offset(), range.length());
    touch(device, range);
  }

  private void resize() throws IOException {
    ModelDevice device = anyDevice();
    int old = device.content.length;
    int size = Math.max(512, (old + (random.nextInt(40) - 20) * BLOCK) / 512 * 512);
    size = Math.min(size, 400 * BLOCK);
    if (random.nextBoolean()) {
      size = Math.max(512, size - random.nextInt(8) * 512);
    }
    world.trackers().resize(device.tracked.name(), OptionalLong.of(size), true);
    device.content = Arrays.copyOf(device.content, size);
    device.touched = Arrays.copyOf(device.touched, blocks(size));
    if (size > old) {
      touch(device, new ByteRange(old, size - old));
    }
  }

  private void checkSomeRange() throws IOException {
    List<Image> images = images();
    if (images.isEmpty()) {
      return;
    }
    Image image = images.get(random.nextInt(images.size()));
    check(image, anyRange(image.model.content.length));
  }

  private static void check(Image image, ByteRange range) throws IOException {
    byte[] found = read(image.part.image(), range.offset(), (int) range.length());
    byte[] expected =
        Arrays.copyOfRange(image.model.content, (int) range.offset(), (int) range.end());
    if (!Arrays.equals(found, expected)) {
      int at = Arrays.mismatch(found, expected);
      throw new AssertionError(
          "image of "
              + image.device
              + " taken at "
              + image.model.takenAt
              + ": byte "
              + (range.offset() + at)
              + " of range "
              + range
              + " is "
              + found[at]
              + ", not "
              + expected[at]);
    }
  }

  private void checkAll() throws IOException {
    for (ModelDevice device : devices.values()) {
      assertThat(device.tracked.sizeBytes()).isEqualTo(device.content.length);
      byte[] found = read(device.tracked, 0, device.content.length);
      assertThat(Arrays.mismatch(found, device.content)).as(device.tracked.name()).isEqualTo(-1);
    }
    for (Image image : images()) {
      check(image, new ByteRange(0, image.model.content.length));
      checkAllocation(image);
    }
    checkMaps();
  }

  private static void checkAllocation(Image image) throws IOException {
    byte[] content = image.model.content;
    long at = 0;
    while (at < content.length) {
      for (BlockDevice.Extent extent : image.part.image().allocation(at, content.length - at, 7)) {
        if (extent.hole()) {
          for (long i = at; i < Math.min(content.length, at + extent.length()); i++) {
            assertThat(content[(int) i]).as("byte %d in a hole", i).isZero();
          }
        }
        at += extent.length();
      }
    }
  }

  /** What changed from each snapshot to each later one and to now. */
  private void checkMaps() throws IOException {
    for (Image older : images()) {
      ModelDevice device = device(older.device);
      IntervalNumbers since = older.part.frozen().numbers();
      UUID generation = device.tracked.readMap(map -> map.generation());
      if (since.sinceGeneration().equals(generation)) {
        BitSet reported =
            bits(
                device.tracked.readMap(
                    map -> map.changedSince(since.sinceNumber(), 0, Integer.MAX_VALUE)));
        checkMap(older, device.content, reported, device.touched, new BitSet(), Long.MAX_VALUE);
      }
      for (Image newer : images()) {
        CbtSnapshot frozen = newer.part.frozen();
        if (newer.device.equals(older.device)
            && newer.model.takenAt > older.model.takenAt
            && frozen.numbers().untilGeneration().equals(since.sinceGeneration())) {
          BitSet reported = bits(frozen.changedSince(since.sinceNumber(), 0, Integer.MAX_VALUE));
          checkMap(
              older,
              newer.model.atTake,
              reported,
              device.touched,
              newer.model.written,
              newer.model.takenAt);
        }
      }
    }
  }

  private static BitSet bits(ChangedRanges changed) {
    var bits = new BitSet();
    for (ByteRange range : changed.ranges()) {
      assertThat(range.offset() % BLOCK).isZero();
      bits.set((int) (range.offset() / BLOCK), (int) ((range.end() - 1) / BLOCK) + 1);
    }
    return bits;
  }

  /**
   * None that differs is missing; and until now, where the model knows each touch, none was
   * reported untouched.
   */
  private static void checkMap(
      Image older, byte[] later, BitSet reported, long[] touched, BitSet written, long until) {
    byte[] before = older.model.atTake;
    for (int block = 0; block < blocks(later.length); block++) {
      int from = block * BLOCK;
      int end = Math.min(later.length, from + BLOCK);
      boolean differs =
          end > before.length
              || !Arrays.equals(before, from, Math.min(end, before.length), later, from, end);
      if ((differs || written.get(block)) && !reported.get(block)) {
        throw new AssertionError(
            "changed block "
                + block
                + " of "
                + older.device
                + " is missing since "
                + older.model.takenAt
                + " until "
                + until);
      }
      if (until == Long.MAX_VALUE && reported.get(block)) {
        assertThat(touched[block])
            .as("block %d of %s is reported but was not touched", block, older.device)
            .isGreaterThan(older.model.takenAt);
      }
    }
  }
}
