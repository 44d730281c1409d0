package blksnap.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.error.BlkSnapException;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

/** Images made by hand, right and wrong: the check must tell them apart. */
final class MomentCheckTest {
  private final MemoryDisk first = new MemoryDisk(1, 8, 512);
  private final MemoryDisk second = new MemoryDisk(2, 8, 0);
  private final MomentCheck check = new MomentCheck("snapshot monday", 100_000, 200_000);

  @Test
  void acceptsImagesThatShowAllDisksAtOneMoment() throws IOException {
    first.wrote(0, 1, 10_000, 20_000).wrote(0, 3, 110_000, 120_000).wrote(0, 5, 150_000, 160_000);
    second.wrote(4, 2, 15_000, 25_000).wrote(5, 4, 150_000, 155_000);
    first.show(0, 3);
    second.show(4, 2);
    compareBoth();
    assertThat(check.blocks()).isEqualTo(17);
    assertThat(check.rewrittenBlocks()).isEqualTo(2);
    assertThat(check.hiddenBlocks()).isEqualTo(2);
    assertThat(check.windowMicros()).isEqualTo(155 - 110);
  }

  @Test
  void acceptsAWriteThatWasUnderWayWhetherItIsShownOrNot() throws IOException {
    first.wrote(0, 1, 90_000, 250_000).wrote(1, 2, 90_000, 250_000).show(0, 1);
    second.log().sent(3, 3, 150_000);
    second.show(3, 3);
    compareBoth();
    assertThat(check.rewrittenBlocks()).isEqualTo(2);
  }

  @Test
  void refusesNewDataBesideOldDataOnOneDisk() {
    first.wrote(0, 1, 110_000, 120_000).wrote(1, 2, 130_000, 140_000).show(1, 2);
    assertThatThrownBy(this::compareBoth)
        .isInstanceOf(BlkSnapException.class)
        .hasMessage(
            "not proven: snapshot monday shows no single moment, because it would lie after 130 us,"
                + " when write 2 to block 1 of disk1 was sent, and before 120 us, when write 1 to"
                + " block 0 of disk1 was answered");
  }

  @Test
  void refusesADiskThatIsLaterThanTheOther() {
    first.wrote(0, 1, 110_000, 120_000);
    second.wrote(7, 2, 130_000, 140_000).show(7, 2);
    assertThatThrownBy(this::compareBoth)
        .hasMessageContaining("write 2 to block 7 of disk2 was sent")
        .hasMessageContaining("write 1 to block 0 of disk1 was answered");
  }

  @Test
  void refusesAnOlderWriteToABlockThatHadANewerOne() {
    first.wrote(0, 1, 10_000, 20_000).wrote(0, 2, 30_000, 40_000).show(0, 1);
    assertThatThrownBy(this::compareBoth)
        .hasMessageContaining("the take was asked for")
        .hasMessageContaining("write 2 to block 0 of disk1 was answered");
  }

  @Test
  void refusesAWriteThatWasSentWhenTheTakeWasOver() {
    first.wrote(0, 1, 210_000, 220_000).show(0, 1);
    assertThatThrownBy(this::compareBoth)
        .hasMessageContaining("write 1 to block 0 of disk1 was sent")
        .hasMessageContaining("the take was answered");
  }

  @Test
  void refusesABlockOfWhichOnlyHalfIsNew() {
    first.wrote(3, 1, 10_000, 20_000).show(3 * Stamp.BYTES, first.halfOf(3, 1));
    assertThatThrownBy(this::compareBoth)
        .hasMessage(
            "not proven: block 3 of disk1 in snapshot monday shows neither what the disk was made "
                + "with nor any of the 1 writes to it");
  }

  @Test
  void refusesABlockThatShowsAWriteToAnother() {
    first.wrote(3, 1, 10_000, 20_000).wrote(4, 2, 30_000, 40_000).show(3, 1);
    first.show(4 * Stamp.BYTES, new Stamp(7, 1, 3, 1).bytes());
    assertThatThrownBy(this::compareBoth).hasMessageContaining("block 4 of disk1");
  }

  @Test
  void refusesZeroesInABlockThatWasNeverWritten() {
    second.show(2 * Stamp.BYTES, ByteBuffer.allocate(Stamp.BYTES));
    assertThatThrownBy(this::compareBoth).hasMessageContaining("block 2 of disk2");
  }

  @Test
  void refusesAnotherByteBehindTheLastWholeBlock() {
    first.show(8 * Stamp.BYTES + 511, ByteBuffer.wrap(new byte[] {1}));
    assertThatThrownBy(this::compareBoth).hasMessageContaining("block 8 of disk1");
  }

  private void compareBoth() throws IOException {
    for (MemoryDisk disk : new MemoryDisk[] {first, second}) {
      check.compare(disk.disk(), disk.log(), disk.image(), disk.original());
    }
  }
}
