package blksnap.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.sector.ByteRange;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Maps made by hand, between a disk as it was made and an image of it. */
final class ChangeMapCheckTest {
  private final MemoryDisk disk = new MemoryDisk(1, 8, 512);

  @Test
  void countsWhatChangedAndWhatTheMapCovers() throws IOException {
    disk.show(1, 1).show(2, 2).show(8 * Stamp.BYTES, ByteBuffer.allocate(512).put(0, (byte) 1));
    var check = compare(new ByteRange(0, 4 * 4096), new ByteRange(7 * 4096, 4096 + 512));
    assertThat(check.changedBlocks()).isEqualTo(3);
    assertThat(check.mapBytes()).isEqualTo(5 * 4096 + 512);
    assertThat(check.earlierChecksum()).isNotEqualTo(check.laterChecksum());
  }

  @Test
  void givesEqualImagesEqualChecksums() throws IOException {
    var check = compare();
    assertThat(check.changedBlocks()).isZero();
    assertThat(check.earlierChecksum()).isEqualTo(check.laterChecksum());
  }

  @Test
  void refusesAMapThatMissesAChangeBetweenTwoRanges() {
    disk.show(1, 1).show(4, 2).show(6, 3);
    assertThatThrownBy(() -> compare(new ByteRange(4096, 4096), new ByteRange(6 * 4096, 2 * 4096)))
        .hasMessage(
            "not proven: 4096 bytes at 16384 of disk1 have changed, and the change map does not say"
                + " so");
  }

  @Test
  void refusesAMapThatEndsBeforeTheLastChange() {
    disk.show(7, 1);
    assertThatThrownBy(() -> compare(new ByteRange(0, 7 * 4096)))
        .hasMessageContaining("4096 bytes at 28672 of disk1");
  }

  @Test
  void refusesAMapThatCoversHalfOfABlock() {
    disk.show(3, 1);
    assertThatThrownBy(() -> compare(new ByteRange(3 * 4096, 2048)))
        .hasMessageContaining("4096 bytes at 12288 of disk1");
  }

  private ChangeMapCheck compare(ByteRange... map) throws IOException {
    return ChangeMapCheck.compare(disk.disk(), disk.original(), disk.image(), List.of(map));
  }
}
