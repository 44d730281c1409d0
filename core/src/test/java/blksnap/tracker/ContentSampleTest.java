package blksnap.tracker;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Bytes;
import blksnap.testing.SimDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

class ContentSampleTest {
  private static final long SIZE = 64L << 20;

  private static void put(SimDevice device, long offset) throws IOException {
    device.write(offset, ByteBuffer.wrap(Bytes.filled('x', 1)));
  }

  @Test
  void isTheSameWhileNothingChanges() throws IOException {
    var device = new SimDevice(SIZE);
    put(device, 5 << 20);
    assertThat(ContentSample.of(device)).isEqualTo(ContentSample.of(device));
  }

  @Test
  void noticesTheStartTheFirstPartitionAndTheEnd() throws IOException {
    long empty = ContentSample.of(new SimDevice(SIZE));
    for (long offset : new long[] {0, 1024, 65_536, (1 << 20) + 1024, SIZE - 512, SIZE - 65_536}) {
      var device = new SimDevice(SIZE);
      put(device, offset);
      assertThat(ContentSample.of(device)).as("change at " + offset).isNotEqualTo(empty);
    }
  }

  @Test
  void noticesOtherContentAnywhereWhenMuchOfItDiffers() throws IOException {
    var device = new SimDevice(SIZE);
    for (long offset = 8L << 20; offset < 40L << 20; offset += 4096) {
      put(device, offset);
    }
    assertThat(ContentSample.of(device)).isNotEqualTo(ContentSample.of(new SimDevice(SIZE)));
  }

  @Test
  void readsTheSmallestDevices() throws IOException {
    var device = SimDevice.ofSectors(1);
    long empty = ContentSample.of(device);
    put(device, 0);
    assertThat(ContentSample.of(device)).isNotEqualTo(empty);
  }
}
