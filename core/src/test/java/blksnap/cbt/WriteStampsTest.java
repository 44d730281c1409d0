package blksnap.cbt;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.cbt.WriteStamps.LastWrites;
import blksnap.cbt.WriteStamps.Observation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class WriteStampsTest {
  private final MemorySegment memory = Arena.ofAuto().allocate(WriteStamps.BYTES, 8);
  private final WriteStamps stamps = new WriteStamps(memory);

  /** What a load finds that sees the memory as it is now. */
  private LastWrites left() {
    return new WriteStamps(memory).left();
  }

  @Test
  void aWriteIsOnItsWayUntilItEnds() {
    assertThat(left()).isEqualTo(new LastWrites(false, 0, 0, Optional.empty(), 0));
    stamps.begin(4096, 512, 1_000);
    assertThat(left()).isEqualTo(new LastWrites(true, 1_000, 0, Optional.empty(), 4096));
    stamps.end(4096, 512, 1_007);
    assertThat(left()).isEqualTo(new LastWrites(false, 1_000, 1_007, Optional.empty(), 4096));
  }

  @Test
  void aThreadThatWasHeldUpTakesNoMomentBackAndAClockThatIsSetBackIsBelieved() {
    stamps.begin(0, 1, 50_007);
    stamps.begin(0, 1, 50_000);
    stamps.end(0, 1, 50_020);
    stamps.end(0, 1, 50_001);
    assertThat(left().begunMillis()).isEqualTo(50_007);
    assertThat(left().endedMillis()).isEqualTo(50_020);
    stamps.begin(0, 1, 20_000);
    stamps.end(0, 1, 20_001);
    assertThat(left().begunMillis()).isEqualTo(20_000);
    assertThat(left().endedMillis()).isEqualTo(20_001);
  }

  @Test
  void whatMayStillReachTheMediumCountsInWholePages() {
    stamps.begin(4095, 2, 1);
    stamps.end(4095, 2, 1);
    assertThat(stamps.unflushedBytes()).isEqualTo(8192);
    long seen = stamps.endedBytes();
    stamps.begin(0, 1, 2);
    stamps.flushed(seen);
    assertThat(stamps.unflushedBytes()).as("the one on its way").isEqualTo(4096);
  }

  @Test
  void anEarlierFlushThatEndsLateTakesNothingBack() {
    stamps.begin(0, 8192, 1);
    stamps.end(0, 8192, 1);
    stamps.flushed(8192);
    stamps.flushed(4096);
    assertThat(stamps.unflushedBytes()).isZero();
  }

  @Test
  void theLatestObservationCountsAndATornOneIsPassedOver() {
    var first = new Observation(0, 0, 11, 12, 13);
    var second = new Observation(0, 0, 21, 22, 23);
    stamps.observe(first);
    assertThat(left().observation()).contains(first);
    stamps.observe(second);
    assertThat(left().observation()).contains(second);
    new WriteStamps(memory).observe(new Observation(0, 0, 31, 32, 33));
    assertThat(left().observation().orElseThrow().modifiedNanos()).isEqualTo(31);

    memory.set(java.lang.foreign.ValueLayout.JAVA_BYTE, 768 + 24, (byte) 77);
    assertThat(left().observation()).contains(second);
  }

  @Test
  void bytesWrittenSinceTheObservationAreKnown() {
    stamps.begin(0, 4096, 1);
    stamps.end(0, 4096, 1);
    stamps.observe(new Observation(stamps.begunBytes(), stamps.unflushedBytes(), 1, 1, 100));
    assertThat(left().writtenBytes()).isZero();
    stamps.begin(8192, 8192, 2);
    assertThat(left().writtenBytes()).isEqualTo(8192);
    assertThat(left().observation().orElseThrow().unflushedBytes()).isEqualTo(4096);
  }

  @Test
  void whatWasOnItsWayIsOverForTheNextEngine() {
    stamps.begin(0, 4096, 5);
    var next = new WriteStamps(memory);
    next.settle();
    assertThat(left().inFlight()).isFalse();
    next.reset();
    assertThat(left()).isEqualTo(new LastWrites(false, 0, 0, Optional.empty(), 0));
  }
}
