package blksnap.nbd;

import java.util.concurrent.atomic.LongAdder;

/** The live counts behind {@link NbdCounters}. */
final class NbdStats {
  final LongAdder connections = new LongAdder();
  final LongAdder refused = new LongAdder();
  final LongAdder requests = new LongAdder();
  final LongAdder failed = new LongAdder();
  final LongAdder bytesRead = new LongAdder();
  final LongAdder bytesWritten = new LongAdder();

  NbdCounters sum() {
    return new NbdCounters(
        connections.sum(),
        refused.sum(),
        requests.sum(),
        failed.sum(),
        bytesRead.sum(),
        bytesWritten.sum());
  }
}
