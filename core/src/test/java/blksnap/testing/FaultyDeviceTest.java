package blksnap.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.contract.BlockDeviceContract;
import blksnap.device.BlockDevice;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.testing.FaultyDevice.Kind;
import java.io.IOException;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class FaultyDeviceTest extends BlockDeviceContract {
  @Override
  protected BlockDevice create() {
    return new FaultyDevice(new SimDevice(SIZE_BYTES));
  }

  @Override
  protected Optional<BlockDevice> createReadOnly() {
    return Optional.of(new FaultyDevice(new SimDevice(SIZE_BYTES).readOnlyCopy()));
  }

  @Test
  void failsExactlyTheCallWithTheNumber() throws IOException {
    var device = new FaultyDevice(SimDevice.ofSectors(8), FaultyDevice.failAtCall(1));
    Bytes.write(device, 0, Bytes.filled('a', 1));
    assertThat(device.faultFired()).isFalse();
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(() -> Bytes.write(device, 0, Bytes.filled('b', 1)))
        .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EIO));
    assertThat(device.faultFired()).isTrue();
    assertThat(Bytes.read(device, 0, 512)).isEqualTo(Bytes.filled('a', 1));
    assertThat(device.calls()).isEqualTo(3);
  }

  @Test
  void failsOneKindOfCallUntilItIsHealed() throws IOException {
    var device =
        new FaultyDevice(SimDevice.ofSectors(8), FaultyDevice.failEvery(Kind.FLUSH), Errno.ENOSPC);
    Bytes.write(device, 0, Bytes.filled('a', 1));
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(device::flush)
        .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.ENOSPC));
    device.heal();
    device.flush();
  }
}
