package blksnap.snapshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.diffarea.FullPolicy;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.state.Fields;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class SnapshotRecordTest {
  private static SnapshotRecord record(ImageLimit limit) {
    return new SnapshotRecord(
        new UUID(1, 2),
        new SnapshotConfig("s", Durability.PROCESS, FullPolicy.BREAK, limit),
        SnapshotRecord.Phase.CREATED,
        0,
        0,
        new UUID(3, 4),
        Optional.empty(),
        OptionalLong.empty(),
        Optional.empty(),
        List.of());
  }

  @Test
  void remembersHowFastImagesMayBeRead() throws BlkSnapException {
    for (var limit :
        List.of(
            new ImageLimit(20, 0),
            new ImageLimit(0, ImageLimit.MIN_BYTES_PER_SECOND),
            new ImageLimit(Long.MAX_VALUE, Long.MAX_VALUE))) {
      SnapshotRecord record = record(limit);
      assertThat(SnapshotRecord.of(record.toFields())).isEqualTo(record);
    }
  }

  @Test
  void hasNoLimitWhereItsEngineKnewOfNone() throws BlkSnapException {
    Fields fields = record(ImageLimit.NONE).toFields();
    assertThat(fields.has("image_iops")).isFalse();
    assertThat(SnapshotRecord.of(fields).config().imageLimit()).isEqualTo(ImageLimit.NONE);
  }

  @Test
  void refusesALimitThatItWouldNotHaveWritten() {
    for (long[] wrong : new long[][] {{-1, 0}, {0, -1}, {0, 1}, {5, 16_383}}) {
      Fields fields =
          record(ImageLimit.NONE)
              .toFields()
              .put("image_iops", wrong[0])
              .put("image_rate", wrong[1]);
      assertThatExceptionOfType(BlkSnapException.class)
          .isThrownBy(() -> SnapshotRecord.of(fields))
          .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EBADMSG))
          .withMessageContaining("image_rate");
    }
  }
}
