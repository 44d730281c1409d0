package blksnap.cli.live;

import java.util.HashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.OptionalLong;
import java.util.TreeMap;

/**
 * What the attribute {@code latency} of a device or image says: for each kind of request how many
 * were shorter than so many microseconds and not than the ones before.
 *
 * @param counts by kind, then by the end of the bucket in microseconds
 */
record LatencyText(Map<String, NavigableMap<Long, Long>> counts) {
  static final LatencyText NONE = new LatencyText(Map.of());

  /** Reads {@code read=END:COUNT,... write=...}; what makes no sense is left out. */
  static LatencyText parse(String text) {
    var counts = new HashMap<String, NavigableMap<Long, Long>>();
    for (String word : text.split(" ", -1)) {
      int equals = word.indexOf('=');
      if (equals > 0) {
        counts.put(word.substring(0, equals), buckets(word.substring(equals + 1)));
      }
    }
    return new LatencyText(counts);
  }

  private static NavigableMap<Long, Long> buckets(String text) {
    var buckets = new TreeMap<Long, Long>();
    for (String pair : text.split(",", -1)) {
      int colon = pair.indexOf(':');
      if (colon > 0) {
        try {
          buckets.put(
              Long.parseLong(pair.substring(0, colon)), Long.parseLong(pair.substring(colon + 1)));
        } catch (NumberFormatException _) {
          // Of an engine that counts otherwise.
        }
      }
    }
    return buckets;
  }

  /**
   * The time that a part of the requests since {@code earlier} stayed below, in microseconds; empty
   * when there were none.
   *
   * @param percent from 1 to 100
   * @param kinds of requests that count
   */
  OptionalLong percentile(LatencyText earlier, int percent, String... kinds) {
    var between = new TreeMap<Long, Long>();
    for (String kind : kinds) {
      NavigableMap<Long, Long> before = earlier.of(kind);
      of(kind)
          .forEach(
              (end, count) -> between.merge(end, count - before.getOrDefault(end, 0L), Long::sum));
    }
    long all = between.values().stream().mapToLong(count -> count).sum();
    long wanted = Math.ceilDiv(all * percent, 100);
    long passed = 0;
    for (Map.Entry<Long, Long> bucket : between.entrySet()) {
      passed += bucket.getValue();
      if (wanted > 0 && passed >= wanted) {
        return OptionalLong.of(bucket.getKey());
      }
    }
    return OptionalLong.empty();
  }

  private NavigableMap<Long, Long> of(String kind) {
    return counts.getOrDefault(kind, new TreeMap<>());
  }
}
