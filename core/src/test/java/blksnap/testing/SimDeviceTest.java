package blksnap.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import blksnap.contract.BlockDeviceContract;
import blksnap.device.BlockDevice;
import blksnap.device.BlockDevice.Extent;
import java.io.IOException;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SimDeviceTest extends BlockDeviceContract {
  @Override
  protected BlockDevice create() {
    return new SimDevice(SIZE_BYTES);
  }

  @Override
  protected Optional<BlockDevice> createReadOnly() throws IOException {
    SimDevice device = new SimDevice(SIZE_BYTES);
    Bytes.write(device, 0, Bytes.pattern(1, 0, SIZE_BYTES));
    return Optional.of(device.readOnlyCopy());
  }

  @Test
  void tellsItsHoles() throws IOException {
    SimDevice device = SimDevice.ofSectors(64);
    Bytes.write(device, 8192, Bytes.filled('a', 17));
    assertThat(device.allocation(512, 32_000, 10))
        .containsExactly(
            new Extent(7680, true), new Extent(12_288, false), new Extent(12_032, true));
    device.writeZeroes(8192, 4096, false);
    assertThat(device.allocatedBlocks()).isEqualTo(2);
    device.writeZeroes(0, 4096, true);
    assertThat(device.allocatedBlocks()).isEqualTo(3);
  }

  @Test
  void losesNothingThatWasFlushedInACrash() throws IOException {
    SimDevice device = SimDevice.ofSectors(64);
    Bytes.write(device, 0, Bytes.filled('a', 64));
    device.flush();
    assertThat(Bytes.read(device.crashed(new Random(1)), 0, 64 * 512))
        .isEqualTo(Bytes.filled('a', 64));
  }

  @Test
  void keepsOldOrNewSectorsOfWhatWasNotFlushedInACrash() throws IOException {
    SimDevice device = SimDevice.ofSectors(64);
    Bytes.write(device, 0, Bytes.filled('a', 64));
    device.flush();
    Bytes.write(device, 0, Bytes.filled('b', 32));
    device.writeZeroes(48 * 512, 8 * 512, false);
    SimDevice after = device.crashed(new Random(1));
    int older = 0;
    for (int sector = 0; sector < 64; sector++) {
      byte[] content = Bytes.read(after, sector * 512L, 512);
      byte[] newer = Bytes.read(device, sector * 512L, 512);
      assertThat(content).isIn(Bytes.filled('a', 1), newer);
      older += Arrays.equals(content, newer) ? 0 : 1;
    }
    assertThat(older).isBetween(1, 39);
  }

  @Test
  void readsZeroesWhereItGrewAfterItShrank() throws IOException {
    SimDevice device = SimDevice.ofSectors(16);
    Bytes.write(device, 0, Bytes.filled('a', 16));
    device.resize(3 * 512);
    device.resize(16 * 512);
    assertThat(Bytes.read(device, 0, 3 * 512)).isEqualTo(Bytes.filled('a', 3));
    assertThat(Bytes.read(device, 3 * 512, 13 * 512)).isEqualTo(Bytes.zeroes(13 * 512));
  }

  @Test
  void refusesASizeThatIsNotWholeSectors() {
    assertThatIllegalArgumentException().isThrownBy(() -> new SimDevice(1000));
    assertThatIllegalArgumentException().isThrownBy(() -> new SimDevice(0));
  }
}
