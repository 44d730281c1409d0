package blksnap.snapimage;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.device.BlockDevice;
import blksnap.error.Errno;
import blksnap.testing.Refusals;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

class LostImageTest {
  private final LostImage image = new LostImage(8192, Errno.ENODEV);

  @Test
  void everyReadAndChangeIsAnIoErrorThatNamesTheCause() {
    ByteBuffer content = ByteBuffer.allocate(512);
    Refusals.refused(Errno.EIO, () -> image.read(0, content), "lost", "ENODEV");
    Refusals.refused(Errno.EIO, () -> image.write(7680, content), "lost", "ENODEV");
    Refusals.refused(Errno.EIO, () -> image.discard(0, 8192), "lost", "ENODEV");
    Refusals.refused(Errno.EIO, () -> image.writeZeroes(0, 8192, true), "lost", "ENODEV");
  }

  @Test
  void aRangeBeyondItsEndIsTheCallersFault() {
    assertThatThrownBy(() -> image.read(8192, ByteBuffer.allocate(512)))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void itLooksLikeADiskOfItsSizeAndFlushesNothing() {
    image.flush();
    assertThat(image.sizeBytes()).isEqualTo(8192);
    assertThat(image.allocation(4096, 4096, 1))
        .isEqualTo(List.of(new BlockDevice.Extent(4096, false)));
    image.close();
  }
}
