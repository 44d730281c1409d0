package blksnap.cli.it;

import blksnap.testing.Stamps;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A tracked device of the power-cut harness, and what its clients know: what was written and
 * flushed when, by a clock that counts events.
 */
final class TickedDisk {
  static final int REGION_BLOCKS = 16 * (1 << 20) / Stamps.BLOCK; // of the write-intent record

  private static final int SECTOR = 512;

  private record Flush(long sent, long answered) {}

  private final String name;
  private final int number;
  private final AtomicLong clock;
  private final Stamps stamps;
  private final long[] sequence;
  private final Set<Long> writtenThrough = ConcurrentHashMap.newKeySet();

  /** Guards {@link #flushes}. */
  private final ReentrantLock lock = new ReentrantLock();

  private final List<Flush> flushes = new ArrayList<>();

  TickedDisk(String name, int number, int regions, AtomicLong clock) {
    this.name = name;
    this.number = number;
    this.clock = clock;
    this.stamps = new Stamps(regions * REGION_BLOCKS);
    this.sequence = new long[stamps.blocks()];
  }

  String name() {
    return name;
  }

  int blocks() {
    return stamps.blocks();
  }

  Stamps stamps() {
    return stamps;
  }

  /** Stamps blocks from here on; by one writer of each block at a time. */
  void write(NbdSession session, int first, int count, boolean through) throws IOException {
    ByteBuffer content = ByteBuffer.allocate(count * Stamps.BLOCK);
    for (int block = first; block < first + count; block++) {
      long stamp = (long) number << 56 | (long) block << 32 | ++sequence[block];
      content.put(Stamps.content(stamp, Stamps.BLOCK));
      stamps.sent(block, stamp, clock.incrementAndGet());
      if (through) {
        writtenThrough.add(stamp);
      }
    }
    long offset = (long) first * Stamps.BLOCK;
    if (through) {
      session.writeThrough(offset, content.array());
    } else {
      session.write(offset, content.array());
    }
    for (int block = first; block < first + count; block++) {
      stamps.answered(block, clock.incrementAndGet());
    }
  }

  void flush(NbdSession session) throws IOException {
    long sent = clock.incrementAndGet();
    session.flush();
    lock.lock();
    try {
      flushes.add(new Flush(sent, clock.incrementAndGet()));
    } finally {
      lock.unlock();
    }
  }

  /** What was answered before this time is durable at the cut. */
  private long durable(long cut) {
    return flushes.stream()
        .filter(flush -> flush.answered < cut)
        .mapToLong(Flush::sent)
        .max()
        .orElse(0);
  }

  /**
   * Each sector shows the latest write that was flushed or written through, or one sent after it.
   *
   * @return which blocks hold anything
   */
  boolean[] check(byte[] content, long cut, String which) {
    long durable = durable(cut);
    ByteBuffer bytes = ByteBuffer.wrap(content);
    boolean[] written = new boolean[blocks()];
    for (int block = 0; block < written.length; block++) {
      List<Stamps.Write> writes = stamps.of(block);
      int least = -1;
      for (int i = 0; i < writes.size(); i++) {
        Stamps.Write write = writes.get(i);
        if (write.answered() < durable
            || (write.answered() < cut && writtenThrough.contains(write.stamp()))) {
          least = i;
        }
      }
      for (int at = block * Stamps.BLOCK; at < (block + 1) * Stamps.BLOCK; at += SECTOR) {
        long shown = uniform(bytes, at, which);
        written[block] |= shown != 0;
        if (!isOneOf(shown, writes, least, cut)) {
          throw new AssertionError(
              "sector %d of block %d of %s shows %x, and of its %d writes number %d was durable; %s"
                  .formatted(
                      at / SECTOR % (Stamps.BLOCK / SECTOR),
                      block,
                      name,
                      shown,
                      writes.size(),
                      least,
                      which));
        }
      }
    }
    return written;
  }

  private long uniform(ByteBuffer bytes, int first, String which) {
    long shown = bytes.getLong(first);
    for (int at = first; at < first + SECTOR; at += Long.BYTES) {
      if (bytes.getLong(at) != shown) {
        throw new AssertionError(
            "a sector of " + name + " at byte " + first + " is torn, " + which);
      }
    }
    return shown;
  }

  private static boolean isOneOf(long shown, List<Stamps.Write> writes, int least, long cut) {
    if (shown == 0) {
      return least < 0;
    }
    for (int i = Math.max(0, least); i < writes.size() && writes.get(i).sent() < cut; i++) {
      if (writes.get(i).stamp() == shown) {
        return true;
      }
    }
    return false;
  }

  /** Whether a write of one of these blocks was sent in this time. */
  boolean wasWritten(int first, int count, long after, long before) {
    for (int block = first; block < first + count; block++) {
      for (Stamps.Write write : stamps.of(block)) {
        if (write.sent() > after && write.sent() < before) {
          return true;
        }
      }
    }
    return false;
  }
}
