package blksnap.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.contract.BlockDeviceContract;
import blksnap.device.BlockDevice.Extent;
import blksnap.device.FileBlockDevice.Cache;
import blksnap.device.FileBlockDevice.Options;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.testing.Bytes;
import blksnap.testing.Commands;
import blksnap.testing.LoopDevice;
import blksnap.testing.RealClients;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A block device as the disk. */
class LoopBlockDeviceTest {
  private static final Options WRITEBACK = new Options(false, Cache.WRITEBACK);
  private static final Options READ_ONLY = new Options(true, Cache.WRITEBACK);

  @TempDir private Path directory;

  @BeforeEach
  void needsLoopDevices() {
    LoopDevice.require();
  }

  /** The contract over a loop device, opened in one way. */
  abstract static class LoopContract extends BlockDeviceContract {
    private final Cache cache;

    private final ArrayDeque<LoopDevice> loops = new ArrayDeque<>();

    @TempDir private Path directory;

    LoopContract(Cache cache) {
      this.cache = cache;
    }

    @BeforeEach
    void needsLoopDevices() {
      LoopDevice.require();
    }

    @AfterEach
    void detachAll() throws IOException {
      closeAll();
      while (!loops.isEmpty()) {
        loops.pop().close();
      }
    }

    private Path newDevice(byte[] content) throws IOException {
      Path path = Files.write(directory.resolve("disk" + loops.size()), content);
      loops.push(LoopDevice.attach(path, 512));
      return loops.element().path();
    }

    @Override
    protected BlockDevice create() throws IOException {
      return FileBlockDevice.open(newDevice(Bytes.zeroes(SIZE_BYTES)), new Options(false, cache));
    }

    @Override
    protected Optional<BlockDevice> createReadOnly() throws IOException {
      return Optional.of(
          FileBlockDevice.open(
              newDevice(Bytes.pattern(1, 0, SIZE_BYTES)), new Options(true, cache)));
    }
  }

  @Nested
  class ThroughThePageCache extends LoopContract {
    ThroughThePageCache() {
      super(Cache.WRITEBACK);
    }
  }

  @Nested
  class PastThePageCache extends LoopContract {
    PastThePageCache() {
      super(Cache.DIRECT);
    }
  }

  private LoopDevice attach(int sectorBytes, String... options) throws IOException {
    Path path = Files.write(directory.resolve("disk"), Bytes.pattern(1, 0, 1 << 20));
    return LoopDevice.attach(path, sectorBytes, options);
  }

  @Test
  void refusesADeviceThatIsMountedOrAttached() throws IOException {
    try (LoopDevice loop = attach(512);
        FileBlockDevice device = FileBlockDevice.open(loop.path(), READ_ONLY)) {
      assertThatExceptionOfType(BlkSnapException.class)
          .isThrownBy(() -> FileBlockDevice.open(loop.path(), WRITEBACK))
          .satisfies(e -> {
            assertThat(e.errno()).isEqualTo(Errno.EBUSY);
            assertThat(e.sentence())
                .isEqualTo(device + " is mounted, attached or otherwise in use");
          });
    }
  }

  @Test
  void hintsAtReadOnlyForAReadOnlyDevice() throws IOException {
    try (LoopDevice loop = attach(512, "--read-only")) {
      assertThatExceptionOfType(BlkSnapException.class)
          .isThrownBy(() -> FileBlockDevice.open(loop.path(), WRITEBACK))
          .satisfies(e -> {
            assertThat(e.errno()).isIn(Errno.EROFS, Errno.EACCES);
            assertThat(e.hint()).isEqualTo("attach it with --read-only");
          });
      try (FileBlockDevice device = FileBlockDevice.open(loop.path(), READ_ONLY)) {
        assertThat(Bytes.read(device, 100, 512)).isEqualTo(Bytes.pattern(1, 100, 512));
      }
    }
  }

  @Test
  void changesPartsOfBlocksOfADeviceWithLargeOnes() throws IOException {
    for (Cache cache : Cache.values()) {
      try (LoopDevice loop = attach(4096);
          FileBlockDevice device = FileBlockDevice.open(loop.path(), new Options(false, cache))) {
        Bytes.write(device, 1000, Bytes.pattern(2, 1000, 9000));
        device.writeZeroes(20_000, 20_000, false);
        device.writeZeroes(50_000, 100, true);
        device.discard(60_001, 100);
        byte[] expected = Bytes.pattern(1, 0, 1 << 20);
        System.arraycopy(Bytes.pattern(2, 1000, 9000), 0, expected, 1000, 9000);
        System.arraycopy(Bytes.zeroes(20_000), 0, expected, 20_000, 20_000);
        System.arraycopy(Bytes.zeroes(100), 0, expected, 50_000, 100);
        assertThat(Bytes.read(device, 0, 1 << 20)).as("%s", cache).isEqualTo(expected);
      }
    }
  }

  @Test
  void callsItAllDataAndKeepsItsSize() throws IOException {
    try (LoopDevice loop = attach(512);
        FileBlockDevice device = FileBlockDevice.open(loop.path(), WRITEBACK)) {
      device.writeZeroes(0, 1 << 20, false);
      assertThat(device.allocation(5, 1000, 3)).containsExactly(new Extent(1000, false));
      assertThatExceptionOfType(BlkSnapException.class)
          .isThrownBy(() -> device.resize(512))
          .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ENOTSUP));
      assertThat(device.status().isBlockDevice()).isTrue();
    }
  }

  @Test
  void failsEveryFlushOnceTheKernelHasLostAPage() throws IOException {
    Path small = Files.createDirectory(directory.resolve("small"));
    RealClients.require(
        Commands.works("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small.toString()),
        "a full disk needs the right to mount a tmpfs");
    try {
      Path path = small.resolve("disk");
      Commands.run("truncate", "--size=4M", path.toString());
      try (LoopDevice loop = LoopDevice.attach(path, 512);
          FileBlockDevice device = FileBlockDevice.open(loop.path(), WRITEBACK)) {
        device.flush();
        Bytes.write(device, 0, Bytes.pattern(1, 0, 4 << 20));
        for (int i = 0; i < 3; i++) {
          assertThatExceptionOfType(BlkSnapException.class)
              .isThrownBy(device::flush)
              .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EIO));
        }
      }
    } finally {
      Commands.run("umount", small.toString());
    }
  }
}
