package blksnap.cli.it;

import blksnap.testing.Stamps;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A tracked device of a harness that kills the daemon, and what its clients know of it. Every block
 * they write carries the device, its own number and a sequence. Used by one thread, but that each
 * writer may touch its own blocks while it runs.
 */
final class StampedDisk {
  private static final int BLOCK_BITS = 20;
  private static final int SEQUENCE_BITS = 36;

  private final String name;
  private final int number;
  private final Stamps stamps;
  private final long[] sequence;

  /** When a write of the block was last under way, to the device or to an image of it. */
  private final long[] touched;

  /** When the last write was sent that was certainly made, likewise. */
  private final long[] certain;

  /** When a write of the block to an image was last under way. */
  private final long[] imageTouched;

  /** As {@link #touched} was when the daemon was killed before. */
  private final long[] touchedEarlier;

  /** When the write was sent that was under way at the last kill and did not come to be. */
  private final long[] dropped;

  private long killed;

  /**
   * @param number of the device, from 1
   */
  StampedDisk(String name, int number, int blocks) {
    this.name = name;
    this.number = number;
    this.stamps = new Stamps(blocks);
    this.sequence = new long[blocks];
    this.touched = new long[blocks];
    this.certain = new long[blocks];
    this.imageTouched = new long[blocks];
    this.touchedEarlier = new long[blocks];
    this.dropped = new long[blocks];
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

  /** What a block holds next. */
  long nextStamp(int block) {
    return (long) number << (BLOCK_BITS + SEQUENCE_BITS)
        | (long) block << SEQUENCE_BITS
        | ++sequence[block];
  }

  /** Blocks from here on, each with its next stamp, about to be sent. */
  byte[] send(int first, int count) {
    ByteBuffer content = ByteBuffer.allocate(count * Stamps.BLOCK);
    long[] next = new long[count];
    for (int i = 0; i < count; i++) {
      next[i] = nextStamp(first + i);
      content.put(Stamps.content(next[i], Stamps.BLOCK));
    }
    long now = System.nanoTime();
    for (int i = 0; i < count; i++) {
      stamps.sent(first + i, next[i], now);
    }
    return content.array();
  }

  void answered(int first, int count) {
    long now = System.nanoTime();
    for (int i = 0; i < count; i++) {
      stamps.answered(first + i, now);
    }
  }

  /** A block of an image was sent, and may have been marked as changed. */
  void imageSent(int block, long now) {
    touched[block] = Math.max(touched[block], now);
    imageTouched[block] = Math.max(imageTouched[block], now);
  }

  /** It was answered. */
  void imageAnswered(int block, long sent) {
    long now = System.nanoTime();
    touched[block] = Math.max(touched[block], now);
    imageTouched[block] = Math.max(imageTouched[block], now);
    certain[block] = Math.max(certain[block], sent);
  }

  /**
   * The daemon was killed, and shows this content now. Every block holds what was acknowledged
   * last, or a later write that was under way.
   */
  void settle(long[] shown, long killed, String which) {
    this.killed = killed;
    System.arraycopy(touched, 0, touchedEarlier, 0, touched.length);
    Arrays.fill(dropped, Stamps.NEVER);
    for (int block = 0; block < shown.length; block++) {
      List<Stamps.Write> writes = stamps.of(block);
      Stamps.@Nullable Write last = writes.isEmpty() ? null : writes.getLast();
      if (last != null && last.answered() == Stamps.NEVER) {
        touched[block] = killed;
        if (shown[block] == last.stamp()) {
          stamps.answered(block, killed); // it came to be
        } else {
          dropped[block] = stamps.dropLatest(block).sent();
        }
      }
      last = writes.isEmpty() ? null : writes.getLast();
      long expected = last == null ? 0 : last.stamp();
      if (shown[block] != expected) {
        throw new AssertionError(
            "block %d of %s shows %x, and %x was acknowledged; %s"
                .formatted(block, name, shown[block], expected, which));
      }
      if (last != null) {
        touched[block] = Math.max(touched[block], last.answered());
        certain[block] = Math.max(certain[block], last.sent());
      }
    }
  }

  /**
   * When each block was last touched by a write to the device that was sent before this time, or
   * earlier. Known between {@link #settle} and {@link #forgetHistory}.
   */
  long[] touchedBySentBefore(long time) {
    long[] last = touchedEarlier.clone();
    for (int block = 0; block < last.length; block++) {
      for (Stamps.Write write : stamps.of(block)) {
        if (write.sent() <= time) {
          last[block] = Math.max(last[block], write.answered());
        }
      }
      if (dropped[block] <= time) {
        last[block] = Math.max(last[block], killed);
      }
    }
    return last;
  }

  /** Whether a write of the block to an image may have been under way after this time. */
  boolean imageMayHaveChangedSince(int block, long time) {
    return imageTouched[block] > time;
  }

  /** Every image was read, so only the latest write of each block counts from now on. */
  void forgetHistory() {
    for (int block = 0; block < blocks(); block++) {
      List<Stamps.Write> writes = stamps.of(block);
      if (writes.size() > 1) {
        writes.subList(0, writes.size() - 1).clear();
      }
    }
  }

  /** Whether a write of the block may have been under way after this time. */
  boolean mayHaveChangedSince(int block, long time) {
    return touched[block] > time;
  }

  /** Whether a write of the block was sent after this time, and made. */
  boolean changedSince(int block, long time) {
    return certain[block] > time;
  }
}
