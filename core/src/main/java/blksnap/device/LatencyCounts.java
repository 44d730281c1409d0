package blksnap.device;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * How many requests took how long, in buckets that are a quarter of a power of two wide: what is
 * read from them is at most a quarter too much. Safe from many threads, without locks; counting
 * allocates nothing.
 */
final class LatencyCounts {
  /** log2 of the buckets in a power of two. */
  private static final int SUB_SHIFT = 2;

  /** log2 of the microseconds from which on all times are one bucket: nineteen hours. */
  private static final int MAX_SHIFT = 36;

  static final int BUCKETS = (MAX_SHIFT - SUB_SHIFT + 1) << SUB_SHIFT;

  private final AtomicLongArray counts = new AtomicLongArray(BUCKETS);

  /**
   * @param nanos may be a little negative, as clocks are
   */
  void add(long nanos) {
    counts.getAndIncrement(bucket(Math.max(0, nanos) / 1_000));
  }

  /**
   * Up to 4 us each microsecond has a bucket, then the two bits below the highest choose among
   * four.
   */
  static int bucket(long micros) {
    if (micros < 1 << SUB_SHIFT) {
      return (int) micros;
    }
    int shift = Long.SIZE - 1 - Long.numberOfLeadingZeros(micros) - SUB_SHIFT;
    int sub = (int) (micros >>> shift); // from 4 to 7
    return Math.min((shift << SUB_SHIFT) + sub, BUCKETS - 1);
  }

  /** The first whole microsecond that is too long for a bucket. */
  static long endMicros(int bucket) {
    if (bucket < 1 << SUB_SHIFT) {
      return bucket + 1L;
    }
    int shift = (bucket >>> SUB_SHIFT) - 1;
    long sub = (bucket & ((1L << SUB_SHIFT) - 1)) + (1L << SUB_SHIFT);
    return (sub + 1) << shift;
  }

  /** {@code END:COUNT} for each bucket that is not empty, ascending, with commas between. */
  String text() {
    var text = new StringBuilder();
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
      long count = counts.get(bucket);
      if (count > 0) {
        text.append(text.isEmpty() ? "" : ",");
        text.append(endMicros(bucket)).append(':').append(count);
      }
    }
    return text.toString();
  }
}
