package blksnap.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.NativeFile.Flag;
import blksnap.sector.ByteRange;
import blksnap.testing.Bytes;
import blksnap.testing.LoopDevice;
import blksnap.testing.LoopFileSystem;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeBlockDeviceTest {
  private static final Set<Flag> CLAIM = Set.of(Flag.READ_WRITE, Flag.EXCL);

  @TempDir private Path directory;

  @BeforeEach
  void needsLoopDevices() {
    LoopDevice.require();
  }

  private LoopDevice attach(int sectorBytes, String... options) throws IOException {
    Path path = Files.write(directory.resolve("disk"), Bytes.repeated('a', 1 << 20));
    return LoopDevice.attach(path, sectorBytes, options);
  }

  @Test
  void knowsTheGeometry() throws IOException {
    try (LoopDevice loop = attach(4096);
        NativeFile file = NativeFile.open(loop.path(), CLAIM)) {
      assertThat(file.stat().isBlockDevice()).isTrue();
      assertThat(file.stat().rdevice()).isPositive();
      assertThat(file.size()).isEqualTo(1 << 20);
      assertThat(file.blockDeviceBytes()).isEqualTo(1 << 20);
      assertThat(file.logicalBlockBytes()).isEqualTo(4096);
      assertThat(file.physicalBlockBytes()).isEqualTo(4096);
      assertThat(file.blockDeviceReadOnly()).isFalse();
    }
  }

  @Test
  void claimsADeviceAgainstAnyOtherClaim() throws IOException {
    try (LoopDevice loop = attach(512)) {
      try (NativeFile first = NativeFile.open(loop.path(), CLAIM)) {
        assertThat(first.path()).isEqualTo(loop.path());
        assertThatExceptionOfType(BlkSnapException.class)
            .isThrownBy(() -> NativeFile.open(loop.path(), CLAIM))
            .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EBUSY));
      }
      NativeFile.open(loop.path(), CLAIM).close();
    }
  }

  @Test
  void tellsWhereAFileLiesOnTheDeviceBelowItsFileSystem() throws IOException {
    LoopFileSystem.require();
    byte[] content = Bytes.repeated('z', 3 << 16);
    List<ByteRange> extents;
    Path mountPoint = directory.resolve("files");
    try (LoopFileSystem files = LoopFileSystem.mount(mountPoint, 16)) {
      Path path = Files.write(files.path().resolve("file"), content);
      try (NativeFile file = NativeFile.open(path, Set.of(Flag.READ_ONLY))) {
        extents = file.extents();
      }
      Path empty = Files.write(files.path().resolve("empty"), new byte[0]);
      try (NativeFile file = NativeFile.open(empty, Set.of(Flag.READ_ONLY))) {
        assertThat(file.extents()).isEmpty();
      }
    }
    assertThat(extents.stream().mapToLong(ByteRange::length).sum()).isEqualTo(content.length);
    byte[] device = Files.readAllBytes(directory.resolve("files.disk"));
    for (ByteRange extent : extents) {
      int from = Math.toIntExact(extent.offset());
      assertThat(Arrays.copyOfRange(device, from, Math.toIntExact(extent.end()))).containsOnly('z');
    }
  }

  @Test
  void zeroesAndDiscardsBlocks() throws IOException {
    try (LoopDevice loop = attach(512);
        NativeFile file = NativeFile.open(loop.path(), CLAIM)) {
      file.blockZeroOut(4096, 8192);
      file.blockDiscard(65_536, 65_536);
      ByteBuffer target = ByteBuffer.allocateDirect(16_384);
      file.read(0, target);
      byte[] content = new byte[16_384];
      target.flip().get(content);
      byte[] expected = Bytes.repeated('a', 16_384);
      System.arraycopy(Bytes.zeroes(8192), 0, expected, 4096, 8192);
      assertThat(content).isEqualTo(expected);
      assertThat(Files.getAttribute(directory.resolve("disk"), "size")).isEqualTo(1L << 20);
    }
  }

  @Test
  void namesTheRangeThatIsNotWholeBlocks() throws IOException {
    try (LoopDevice loop = attach(4096);
        NativeFile file = NativeFile.open(loop.path(), CLAIM)) {
      assertThatExceptionOfType(BlkSnapException.class)
          .isThrownBy(() -> file.blockDiscard(512, 512))
          .satisfies(e -> {
            assertThat(e.errno()).isEqualTo(Errno.EINVAL);
            assertThat(e.sentence())
                .isEqualTo("cannot discard 512 bytes at 512 in " + file + ": invalid argument");
          });
    }
  }

  @Test
  void seesThatADeviceIsReadOnly() throws IOException {
    try (LoopDevice loop = attach(512, "--read-only");
        NativeFile file = NativeFile.open(loop.path(), Set.of(Flag.READ_ONLY))) {
      assertThat(file.blockDeviceReadOnly()).isTrue();
    }
  }
}
