package blksnap.diffarea;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.device.BlockDevice;
import blksnap.device.BlockDevice.Extent;
import blksnap.diffio.DiffIo;
import blksnap.diffstorage.DiffStorage;
import blksnap.diffstorage.Location;
import blksnap.diffstorage.StorageListener;
import blksnap.diffstorage.StorageTable;
import blksnap.error.Errno;
import blksnap.param.Parameter;
import blksnap.param.Parameters;
import blksnap.testing.Bytes;
import blksnap.testing.DelegatingDevice;
import blksnap.testing.Seeds;
import blksnap.testing.SimDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageAllocationTest {
  private static final int BLOCK = Location.BLOCK_BYTES;

  /** The last group and the last block are short ones. */
  private static final long DISK_BYTES = 20L * BlockMap.GROUP_BLOCKS * BLOCK + 3 * BLOCK + 512;

  private static final int ROUNDS = 200;

  @TempDir Path directory;

  private final Parameters parameters = new Parameters();
  private final DiffIo diffIo = new DiffIo(parameters);
  private final StorageTable storages = new StorageTable(parameters, (path, status) -> {});
  private final SimDevice disk = new SimDevice(DISK_BYTES);

  /** What the disk says of itself: runs that begin and end at any sector. */
  private final List<Extent> extents = new ArrayList<>();

  private final AreaChain chain = new AreaChain(new LaidOutDevice(disk, extents));

  @AfterEach
  void close() throws IOException {
    for (var storage : storages.all()) {
      storage.close();
    }
  }

  private DiffArea area() throws IOException {
    UUID id = UUID.randomUUID();
    DiffStorage storage =
        storages.create(
            id,
            directory.resolve(id + ".diff"),
            OptionalLong.empty(),
            new StorageListener() {
              @Override
              public void low(long requestedSectors) {
                assertThat(requestedSectors).isPositive();
              }

              @Override
              public void full(long requestedSectors) {
                throw new AssertionError("the storage is full");
              }
            },
            (of, ranges) -> assertThat(ranges).isNotEmpty());
    DiffArea area =
        DiffArea.create(
            new AreaConfig(id, DISK_BYTES, 14, Optional.empty(), false, FullPolicy.BREAK),
            storage,
            storages,
            diffIo,
            new AreaListener() {
              @Override
              public void corrupted(Errno cause, String why) {
                throw new AssertionError(why);
              }

              @Override
              public void notRemembered(String why) {
                throw new AssertionError(why);
              }

              @Override
              public void remembered() {
                throw new AssertionError("it never was forgotten");
              }
            });
    chain.add(area);
    return area;
  }

  private void layOut(Random random) {
    extents.clear();
    for (long at = 0; at < DISK_BYTES; ) {
      long most = random.nextInt(4) == 0 ? 3L * BlockMap.GROUP_BLOCKS * BLOCK : 3L * BLOCK;
      long length = Math.min(DISK_BYTES - at, 512 * random.nextLong(1, most / 512 + 1));
      extents.add(new Extent(length, random.nextBoolean()));
      at += length;
    }
  }

  /** What the device says of a block, and what is held of it, is what the image says of it. */
  private boolean isHole(DiffArea image, long from, long to) {
    long block = from / BLOCK;
    long[] location = {BlockMap.ABSENT};
    int[] checksum = new int[1];
    image.privateBlocks().find(block, 1, location, checksum, 0);
    boolean reached = false;
    for (DiffArea area : chain.areas()) {
      reached |= area == image;
      if (reached) {
        area.preserved().find(block, 1, location, checksum, 0);
      }
    }
    if (location[0] != BlockMap.ABSENT) {
      return location[0] == Location.ZEROES;
    }
    long start = 0;
    for (Extent extent : extents) {
      if (start <= from && to <= start + extent.length()) {
        return extent.hole();
      }
      start += extent.length();
    }
    return false;
  }

  private boolean isHeld(DiffArea image, long at) {
    boolean held = image.privateBlocks().holds(at / BLOCK);
    boolean reached = false;
    for (DiffArea area : chain.areas()) {
      reached |= area == image;
      held |= reached && area.preserved().holds(at / BLOCK);
    }
    return held;
  }

  @Test
  void saysOfEachBlockWhatItsHolderOrTheDeviceSays() throws IOException {
    Seeds seeds = Seeds.ofRun();
    Random random = seeds.random();
    parameters.set(Parameter.DIFF_STORAGE_MINIMUM, 65_536);
    List<ImageLayer> images = new ArrayList<>();
    for (int round = 0; round < ROUNDS; round++) {
      if (round % 60 == 0) {
        images.add(new ImageLayer(new ImageReader(chain, area(), () -> 4)));
      }
      layOut(random);
      change(random, images);
      DiffArea area = chain.areas().get(random.nextInt(images.size()));
      ImageLayer image = images.get(chain.areas().indexOf(area));
      long offset = 512 * random.nextLong(DISK_BYTES / 512);
      long length = 512 * random.nextLong(1, (DISK_BYTES - offset) / 512 + 1);
      int most = random.nextInt(8) == 0 ? random.nextInt(1, 4) : 1 << 20;
      String what = seeds + " round " + round + " of " + offset + "+" + length + " most " + most;

      List<Extent> said = image.allocation(offset, length, most);
      assertThat(said.size()).as(what).isBetween(1, most);
      long at = offset;
      for (Extent extent : said) {
        for (long end = at + extent.length(); at < end; ) {
          long stop = Math.min(offset + length, (at / BLOCK + 1) * BLOCK);
          assertThat(stop).as(what).isLessThanOrEqualTo(end);
          assertThat(extent.hole()).as(what + " at " + at).isEqualTo(isHole(area, at, stop));
          at = stop;
        }
      }
      assertThat(at == offset + length || said.size() == most).as(what).isTrue();

      List<HeldRun> runs = image.held(offset, length, most);
      at = offset;
      for (HeldRun run : runs) {
        for (long end = at + run.length(); at < end; at = (at / BLOCK + 1) * BLOCK) {
          assertThat(run.held()).as(what + " at " + at).isEqualTo(isHeld(area, at));
        }
        at = Math.min(at, offset + length);
      }
      assertThat(at == offset + length || runs.size() == most).as(what).isTrue();
    }
    assertThat(chain.areas()).anyMatch(area -> area.preserved().zeroBlocks() > 0);
  }

  /** Seldom, so that much stays as it was. */
  private void change(Random random, List<ImageLayer> images) throws IOException {
    if (random.nextInt(3) > 0) {
      return;
    }
    long block = random.nextLong(DISK_BYTES / BLOCK);
    long blocks = Math.min(random.nextInt(1, 5), DISK_BYTES / BLOCK - block);
    if (random.nextBoolean()) {
      chain.preserve(block * BLOCK, blocks * BLOCK);
      Bytes.write(disk, block * BLOCK, Bytes.pattern(1, block * BLOCK, (int) blocks * BLOCK));
      return;
    }
    ImageLayer image = images.get(random.nextInt(images.size()));
    if (random.nextBoolean()) {
      image.zero(block * BLOCK, blocks * BLOCK);
    } else {
      image.write(block * BLOCK, ByteBuffer.allocateDirect((int) blocks * BLOCK).put(0, (byte) 1));
    }
  }

  /** A disk that has its layout from elsewhere. */
  private static final class LaidOutDevice extends DelegatingDevice {
    private final List<Extent> layout;

    LaidOutDevice(BlockDevice inner, List<Extent> layout) {
      super(inner);
      this.layout = layout;
    }

    @Override
    public List<Extent> allocation(long offset, long length, int maxExtents) {
      List<Extent> answer = new ArrayList<>();
      long start = 0;
      for (Extent extent : layout) {
        long from = Math.max(start, offset);
        long to = Math.min(start + extent.length(), offset + length);
        if (from < to && answer.size() < maxExtents) {
          answer.add(new Extent(to - from, extent.hole()));
        }
        start += extent.length();
      }
      return answer;
    }
  }
}
