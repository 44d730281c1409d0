package blksnap.device;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class LatencyCountsTest {
  @Test
  void putsEveryTimeIntoTheBucketThatEndsBehindItAndIsAtMostAQuarterTooLong() {
    for (long micros = 0; micros < 100_000; micros++) {
      int bucket = LatencyCounts.bucket(micros);
      long end = LatencyCounts.endMicros(bucket);
      assertThat(end).as("end for %d", micros).isGreaterThan(micros);
      assertThat(end - 1).as("end for %d", micros).isLessThanOrEqualTo(micros + micros / 4);
      if (bucket > 0) {
        assertThat(LatencyCounts.endMicros(bucket - 1)).isLessThanOrEqualTo(micros);
      }
    }
  }

  @Test
  void countsTimesBeyondTheLastBucketInIt() {
    assertThat(LatencyCounts.bucket(Long.MAX_VALUE)).isEqualTo(LatencyCounts.BUCKETS - 1);
    assertThat(LatencyCounts.endMicros(LatencyCounts.BUCKETS - 1)).isEqualTo(1L << 36);
  }

  @Test
  void tellsOfTheBucketsThatAreNotEmpty() {
    var counts = new LatencyCounts();
    assertThat(counts.text()).isEmpty();
    counts.add(-5);
    counts.add(999);
    counts.add(1_000_000);
    counts.add(1_001_000);
    assertThat(counts.text()).isEqualTo("1:2,1024:2");
  }
}
