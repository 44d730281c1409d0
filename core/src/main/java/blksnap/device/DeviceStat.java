package blksnap.device;

import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/**
 * Counts of the requests to one device or image since it was opened. Safe from many threads; cheap
 * enough for every request.
 */
public final class DeviceStat {
  /** What was done. */
  public enum Kind {
    READ("read", "reads"),
    WRITE("write", "writes"),
    DISCARD("discard", "discards"),
    FLUSH("flush", "flushes");

    private final String one;
    private final String many;

    Kind(String one, String many) {
      this.one = one;
      this.many = many;
    }
  }

  /** What is counted of one kind. */
  private static final class Counter {
    final LongAdder count = new LongAdder();
    final LongAdder bytes = new LongAdder();
    final LongAdder nanos = new LongAdder();
    final LatencyCounts latency = new LatencyCounts();
  }

  private final Map<Kind, Counter> counters = new EnumMap<>(Kind.class);
  private final LongAdder inFlight = new LongAdder();

  public DeviceStat() {
    for (Kind kind : Kind.values()) {
      counters.put(kind, new Counter());
    }
  }

  /** A request begins; the answer is for {@link #end}. */
  public long begin() {
    inFlight.increment();
    return System.nanoTime();
  }

  /**
   * A request ends, well or not.
   *
   * @param length bytes
   * @param startNanos what {@link #begin} returned
   */
  public void end(Kind kind, long length, long startNanos) {
    inFlight.decrement();
    Counter counter = counters.get(kind);
    if (counter != null) {
      counter.count.increment();
      counter.bytes.add(length);
      long nanos = System.nanoTime() - startNanos;
      counter.nanos.add(nanos);
      counter.latency.add(nanos);
    }
  }

  /**
   * One line: for read, write, discard and flush the count, bytes (not for flush) and mean latency
   * in microseconds, then the requests in flight.
   */
  public String line() {
    var line = new StringBuilder();
    counters.forEach((kind, counter) -> {
      long count = counter.count.sum();
      line.append(kind.many).append('=').append(count).append(' ');
      if (kind != Kind.FLUSH) {
        line.append(kind.one).append("_bytes=").append(counter.bytes.sum()).append(' ');
      }
      long meanMicros = count == 0 ? 0 : counter.nanos.sum() / count / 1_000;
      line.append(kind.one).append("_us=").append(meanMicros).append(' ');
    });
    return line.append("in_flight=").append(inFlight.sum()).toString();
  }

  /**
   * One line: for read, write, discard and flush how many requests took how long, as {@code
   * read=END:COUNT,END:COUNT}. A count is of those shorter than {@code END} microseconds and not
   * shorter than the end before it that there could be; the difference of two readings is what
   * happened between them.
   */
  public String latencyLine() {
    var line = new StringBuilder();
    counters.forEach((kind, counter) ->
        line.append(line.isEmpty() ? "" : " ")
            .append(kind.one)
            .append('=')
            .append(counter.latency.text()));
    return line.toString();
  }
}
