package blksnap.tracker;

import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/**
 * Counts of one device's requests since it was attached. Safe from many threads; cheap enough for
 * every request.
 */
public final class DeviceStat {
  /** What was done. */
  enum Kind {
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
  }

  private final Map<Kind, Counter> counters = new EnumMap<>(Kind.class);
  private final LongAdder inFlight = new LongAdder();

  DeviceStat() {
    for (Kind kind : Kind.values()) {
      counters.put(kind, new Counter());
    }
  }

  long begin() {
    inFlight.increment();
    return System.nanoTime();
  }

  void end(Kind kind, long length, long startNanos) {
    inFlight.decrement();
    Counter counter = counters.get(kind);
    if (counter != null) {
      counter.count.increment();
      counter.bytes.add(length);
      counter.nanos.add(System.nanoTime() - startNanos);
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
}
