package blksnap.diffarea;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.diffio.DiffIo;
import blksnap.diffstorage.DiffStorage;
import blksnap.diffstorage.StorageListener;
import blksnap.diffstorage.StorageTable;
import blksnap.error.Errno;
import blksnap.param.Parameter;
import blksnap.param.Parameters;
import blksnap.testing.Bytes;
import blksnap.testing.FaultyDevice;
import blksnap.testing.SimDevice;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AreaChainTest {
  private static final int BLOCK = 4096;
  private static final int BLOCKS = 64;

  @TempDir Path directory;

  private final Parameters parameters = new Parameters();
  private final DiffIo diffIo = new DiffIo(parameters);
  private final StorageTable storages = new StorageTable(parameters, (path, status) -> {});
  private final SimDevice disk = new SimDevice((long) BLOCKS * BLOCK);
  private final FaultyDevice original = new FaultyDevice(disk);
  private final AreaChain chain = new AreaChain(original);
  private final List<String> corrupted = new ArrayList<>();

  @BeforeEach
  void fillDisk() throws IOException {
    parameters.set(Parameter.DIFF_STORAGE_MINIMUM, 2_048);
    parameters.set(Parameter.CHUNK_MINIMUM_SHIFT, 12);
    Bytes.write(disk, 0, Bytes.pattern(0, 0, BLOCKS * BLOCK));
  }

  @AfterEach
  void close() throws IOException {
    assertThat(diffIo.bytesInUse()).isZero();
    for (DiffStorage storage : storages.all()) {
      storage.close();
    }
  }

  private DiffArea area(String name) throws IOException {
    return area(name, BLOCKS, OptionalLong.empty());
  }

  private DiffArea area(String name, int blocks, OptionalLong limit) throws IOException {
    UUID id = UUID.randomUUID();
    StorageListener silent =
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
    DiffStorage storage =
        storages.create(
            id,
            directory.resolve(name + ".diff"),
            limit,
            silent,
            (of, ranges) -> assertThat(ranges).isNotEmpty());
    DiffArea area =
        DiffArea.create(
            new AreaConfig(
                id, (long) blocks * BLOCK, 14, Optional.empty(), false, FullPolicy.BREAK),
            storage,
            storages,
            diffIo,
            new AreaListener() {
              @Override
              public void corrupted(Errno cause, String why) {
                corrupted.add(name + " " + cause);
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

  /** As a tracked device does it: preserve, or give up, then write. */
  private void overwrite(int block, int count, int generation) throws IOException {
    long offset = (long) block * BLOCK;
    try {
      chain.preserve(offset, (long) count * BLOCK);
    } catch (IOException e) {
      Errno cause = e instanceof blksnap.error.BlkSnapException b ? b.errno() : Errno.EIO;
      chain.giveUp(offset, (long) count * BLOCK, cause, String.valueOf(e.getMessage()));
    }
    Bytes.write(disk, offset, Bytes.pattern(generation, offset, count * BLOCK));
  }

  private void expectImage(DiffArea area, int block, int count, int generation) throws IOException {
    long offset = (long) block * BLOCK;
    ByteBuffer target = ByteBuffer.allocate(count * BLOCK);
    new ImageReader(chain, area, () -> 4).read(offset, target);
    assertThat(target.array()).isEqualTo(Bytes.pattern(generation, offset, count * BLOCK));
  }

  @Test
  void onlyTheNewestPreservesAndOlderImagesReadFromIt() throws IOException {
    DiffArea first = area("first");
    overwrite(0, 4, 1);
    DiffArea second = area("second");
    overwrite(2, 4, 2);

    assertThat(first.blocksStored()).isEqualTo(4);
    assertThat(second.blocksStored()).isEqualTo(4);
    expectImage(first, 0, BLOCKS, 0);
    expectImage(second, 0, 4, 1);
    expectImage(second, 4, BLOCKS - 4, 0);
  }

  @Test
  void aBlockIsCopiedOnceHoweverOftenItIsOverwritten() throws IOException {
    DiffArea area = area("first");
    overwrite(5, 3, 1);
    long calls = original.calls();
    overwrite(5, 3, 2);
    assertThat(original.calls()).as("nothing is read again").isEqualTo(calls);
    overwrite(4, 5, 3);
    assertThat(area.blocksStored()).isEqualTo(5);
    expectImage(area, 0, BLOCKS, 0);
  }

  @Test
  void aWriteDoesNotCopyWhatARetiredAreaHolds() throws IOException {
    DiffArea older = area("older");
    DiffArea newest = area("newest");
    overwrite(0, 8, 1);
    chain.retire(newest);

    overwrite(0, 9, 2);

    assertThat(older.blocksStored()).as("only the ninth block is needed").isEqualTo(1);
    assertThat(newest.blocksStored()).isEqualTo(8);
    expectImage(older, 0, BLOCKS, 0);
  }

  @Test
  void handingDownGivesTheOlderNeighbourWhatItLacksAndFreesTheRest() throws IOException {
    DiffArea older = area("older");
    overwrite(0, 4, 1);
    DiffArea newest = area("newest");
    overwrite(2, 4, 2);
    DiffStorage storage = storages.all().get(1);
    chain.retire(newest);
    chain.handDown(newest);
    DiffArea neighbour = chain.olderThan(newest);
    chain.unlink(newest);
    AreaChain.releaseAfter(newest, neighbour);

    assertThat(neighbour).isEqualTo(older);
    assertThat(older.blocksStored()).isEqualTo(6);
    assertThat(storage.space().filled()).as("two blocks are still read").isEqualTo(2 * BLOCK);
    expectImage(older, 0, BLOCKS, 0);
    overwrite(0, 16, 3);
    expectImage(older, 0, BLOCKS, 0);
    refused(Errno.ESHUTDOWN, () -> expectImage(newest, 0, 1, 1));
  }

  @Test
  void aHoleIsHeldWithoutReadingOrStoring() throws IOException {
    disk.discard(0, 32 * BLOCK);
    DiffArea area = area("first");
    overwrite(0, 32, 1);
    assertThat(area.blocksStored()).isZero();
    ByteBuffer target = ByteBuffer.allocate(32 * BLOCK);
    new ImageReader(chain, area, () -> 4).read(0, target);
    assertThat(target.array()).containsOnly(0);
  }

  @Test
  void givingUpMarksExactlyTheAreasThatNeededTheBlock() throws IOException {
    DiffArea holder = area("holder");
    overwrite(0, 1, 1);
    DiffArea lacker = area("lacker");
    overwrite(1, 1, 1);
    DiffArea newest = area("newest");
    original.failFromNowOn(call -> call.kind() == FaultyDevice.Kind.READ, Errno.EIO);
    overwrite(1, 1, 2);

    assertThat(holder.corruption()).as("lacker holds block 1 for it").isEmpty();
    assertThat(lacker.corruption()).isEmpty();
    assertThat(newest.corruption()).contains(Errno.EIO);
    assertThat(chain.preserver()).contains(newest);
    original.heal();
    expectImage(holder, 0, BLOCKS, 0);
    expectImage(lacker, 1, BLOCKS - 1, 0);
    refused(Errno.EIO, () -> expectImage(newest, 9, 1, 0), "corrupt");

    original.failFromNowOn(call -> call.kind() == FaultyDevice.Kind.READ, Errno.EIO);
    overwrite(0, 1, 2);
    assertThat(holder.corruption()).as("it holds block 0 itself").isEmpty();
    assertThat(lacker.corruption()).contains(Errno.EIO);
    overwrite(7, 1, 2);
    assertThat(holder.corruption()).contains(Errno.EIO);
    assertThat(chain.preserver()).as("nobody needs old blocks any more").isEmpty();
    assertThat(corrupted).containsExactly("newest EIO", "lacker EIO", "holder EIO");
  }

  @Test
  void whatIsBeyondAnAreasEndDoesNotConcernIt() throws IOException {
    DiffArea small = area("small", 8, OptionalLong.empty());
    DiffArea whole = area("whole");
    original.failFromNowOn(call -> call.kind() == FaultyDevice.Kind.READ, Errno.EIO);
    overwrite(8, 4, 1);
    assertThat(small.corruption()).isEmpty();
    assertThat(whole.corruption()).contains(Errno.EIO);
  }

  @Test
  void aFullStorageKeepsWhatItHasForOlderAreas() throws IOException {
    DiffArea older = area("older");
    DiffArea newest = area("newest", BLOCKS, OptionalLong.of(4 * BLOCK));
    overwrite(0, 3, 1);
    assertThat(newest.corruption()).isEmpty();
    overwrite(3, 1, 1);
    assertThat(corrupted).containsExactlyInAnyOrder("newest ENOSPC", "older ENOSPC");
    refused(Errno.EIO, () -> expectImage(older, 0, 1, 0), "ENOSPC");
  }

  @Test
  void anImageReadThatTheDeviceShrinksUnderFindsWhatWasPreserved() throws IOException {
    DiffArea area = area("s");
    var image = new ImageReader(chain, area, () -> 0);
    var shrunk = new AtomicBoolean();
    original.failFromNowOn(
        call -> {
          if (call.kind() == FaultyDevice.Kind.READ && shrunk.compareAndSet(false, true)) {
            shrinkToHalf();
          }
          return false;
        },
        Errno.EIO);
    ByteBuffer target = ByteBuffer.allocate(BLOCKS * BLOCK);
    image.read(0, target);
    assertThat(target.array()).isEqualTo(Bytes.pattern(0, 0, BLOCKS * BLOCK));
    assertThat(original.sizeBytes()).isEqualTo(BLOCKS / 2 * BLOCK);
    assertThat(corrupted).isEmpty();
  }

  private void shrinkToHalf() {
    long half = (long) BLOCKS / 2 * BLOCK;
    try {
      chain.preserve(half, half);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    disk.resize(half);
  }
}
