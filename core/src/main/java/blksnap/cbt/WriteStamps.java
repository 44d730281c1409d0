package blksnap.cbt;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Optional;

/**
 * What is known of the writes to a device, kept beside its map so that it outlives this process:
 * whether writes are on their way, when the last ones were, how much may still wait in the page
 * cache, and how the device looked when it was last observed at rest. After a kill it tells our own
 * writes from those of others. Little-endian.
 *
 * <pre>
 * offset  bytes  field
 *      0      8  bytes of all writes that began
 *      8      8  bytes of all writes that ended; fewer: some are on their way
 *     16      8  of the latter, bytes that a flush has seen through
 *     24      8  when the latest write began, milliseconds since 1970
 *     32      8  when the latest write ended
 *     40      8  1 when a flush failed and what it should have seen through may be lost, else 0
 *    512     64  observation slot A
 *    768     64  observation slot B
 * </pre>
 *
 * An observation slot is written whole, then the other one next time; the valid one with the higher
 * sequence counts:
 *
 * <pre>
 *      0      8  sequence
 *      8      8  bytes of all writes that had begun; all had ended
 *     16      8  bytes that no flush had seen through
 *     24      8  modification time of the file, nanoseconds since 1970
 *     32      8  change time of the file, nanoseconds since 1970
 *     40      8  sectors ever written to the block device, -1 when unknown
 *     60      4  CRC-32C of bytes 0..59
 * </pre>
 */
public final class WriteStamps {
  static final long BYTES = 1024;

  private static final long PAGE_BYTES = 4096;
  private static final long BEGUN = 0;
  private static final long ENDED = 8;
  private static final long FLUSHED = 16;
  private static final long BEGUN_MILLIS = 24;
  private static final long ENDED_MILLIS = 32;
  private static final long LOST = 40;
  private static final long SLOT_A = 512;
  private static final long SLOT_B = 768;
  private static final long SLOT_BYTES = 64;

  /** A thread may be held up so long; a clock that is set back is set back by more. */
  private static final long HELD_UP_MILLIS = 10_000;

  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle LONGS = LONG.varHandle();

  /**
   * How a device looked while no write was on its way.
   *
   * @param begunBytes bytes of all writes until then
   * @param unflushedBytes at most so much was still to reach the medium
   * @param deviceSectors ever written to the block device; -1 when unknown, and for a file
   */
  public record Observation(
      long begunBytes,
      long unflushedBytes,
      long modifiedNanos,
      long changedNanos,
      long deviceSectors) {}

  /**
   * What a dead engine left behind.
   *
   * @param inFlight whether writes were on their way
   * @param begunMillis when the latest write began, milliseconds since 1970; 0 when there was none
   * @param endedMillis when the latest write ended
   * @param observation how the device looked at rest; empty when it never was
   * @param writtenBytes bytes written since that observation, whole pages
   */
  public record LastWrites(
      boolean inFlight,
      long begunMillis,
      long endedMillis,
      Optional<Observation> observation,
      long writtenBytes) {}

  private final MemorySegment memory;

  /** The sequence of the latest observation; by one thread at a time. */
  private long sequence;

  WriteStamps(MemorySegment memory) {
    this.memory = memory;
    this.sequence =
        Math.max(
            slot(SLOT_A).map(s -> s.get(LONG, 0)).orElse(0L),
            slot(SLOT_B).map(s -> s.get(LONG, 0)).orElse(0L));
  }

  /** Just before a change of {@code [offset, offset + length)} is handed to the kernel. */
  public void begin(long offset, long length, long nowMillis) {
    raise(BEGUN_MILLIS, nowMillis);
    var _ = (long) LONGS.getAndAdd(memory, BEGUN, wholePages(offset, length));
  }

  /** After it, however it went; the same values. */
  public void end(long offset, long length, long nowMillis) {
    raise(ENDED_MILLIS, nowMillis);
    var _ = (long) LONGS.getAndAdd(memory, ENDED, wholePages(offset, length));
  }

  /**
   * Notes a moment, unless a later one is there: a thread that was held up since it looked at the
   * clock must not take back what others did. A clock that was set back is believed.
   */
  private void raise(long offset, long nowMillis) {
    long seen = (long) LONGS.getVolatile(memory, offset);
    while (seen < nowMillis || seen - nowMillis > HELD_UP_MILLIS) {
      long before = (long) LONGS.compareAndExchange(memory, offset, seen, nowMillis);
      if (before == seen) {
        return;
      }
      seen = before;
    }
  }

  private static long wholePages(long offset, long length) {
    return ((offset + length + PAGE_BYTES - 1) & -PAGE_BYTES) - (offset & -PAGE_BYTES);
  }

  /** What a flush that begins now will see through; for {@link #flushed}. */
  public long endedBytes() {
    return (long) LONGS.getVolatile(memory, ENDED);
  }

  /** A flush that began when {@link #endedBytes} was {@code bytes} has ended well. */
  public void flushed(long bytes) {
    if (bytes > (long) LONGS.getVolatile(memory, FLUSHED)) {
      LONGS.setVolatile(memory, FLUSHED, bytes); // a lower value of another flush costs nothing
    }
  }

  /** Bytes of all writes that began. */
  public long begunBytes() {
    return (long) LONGS.getVolatile(memory, BEGUN);
  }

  /** At most so many bytes are still to reach the medium. */
  public long unflushedBytes() {
    return begunBytes() - (long) LONGS.getVolatile(memory, FLUSHED);
  }

  /** Remembers how the device looks; by one thread at a time. */
  public void observe(Observation seen) {
    sequence++;
    MemorySegment slot = memory.asSlice((sequence & 1) == 0 ? SLOT_A : SLOT_B, SLOT_BYTES);
    slot.set(LONG, 0, sequence);
    slot.set(LONG, 8, seen.begunBytes);
    slot.set(LONG, 16, seen.unflushedBytes);
    slot.set(LONG, 24, seen.modifiedNanos);
    slot.set(LONG, 32, seen.changedNanos);
    slot.set(LONG, 40, seen.deviceSectors);
    slot.set(INT, 60, Magic.crc(slot.asSlice(0, 60)));
  }

  /** The latest observation; empty when there was none. */
  public Optional<Observation> observation() {
    Optional<MemorySegment> a = slot(SLOT_A);
    Optional<MemorySegment> b = slot(SLOT_B);
    Optional<MemorySegment> newest =
        a.isPresent() && (b.isEmpty() || a.get().get(LONG, 0) > b.get().get(LONG, 0)) ? a : b;
    return newest.map(s ->
        new Observation(
            s.get(LONG, 8), s.get(LONG, 16), s.get(LONG, 24), s.get(LONG, 32), s.get(LONG, 40)));
  }

  private Optional<MemorySegment> slot(long offset) {
    MemorySegment slot = memory.asSlice(offset, SLOT_BYTES);
    boolean valid = slot.get(LONG, 0) > 0 && slot.get(INT, 60) == Magic.crc(slot.asSlice(0, 60));
    return valid ? Optional.of(slot) : Optional.empty();
  }

  /** What the engine before left; before anything is written. */
  public LastWrites left() {
    Optional<Observation> seen = observation();
    return new LastWrites(
        begunBytes() != endedBytes(),
        memory.get(LONG, BEGUN_MILLIS),
        memory.get(LONG, ENDED_MILLIS),
        seen,
        seen.map(s -> begunBytes() - s.begunBytes).orElse(begunBytes()));
  }

  /** Writes that were on their way when the engine before died are over. */
  public void settle() {
    LONGS.setVolatile(memory, ENDED, begunBytes());
  }

  /**
   * A flush failed: the kernel may go back to what was there before, at any time and without a word
   * to later flushes.
   */
  public void loseWrites() {
    LONGS.setVolatile(memory, LOST, 1L);
  }

  /** Whether {@link #loseWrites} was called, by this engine or one before it. */
  public boolean writesLost() {
    return (long) LONGS.getVolatile(memory, LOST) != 0;
  }

  /** All that may have been lost was written and flushed again. */
  public void writesFound() {
    LONGS.setVolatile(memory, LOST, 0L);
  }

  /** Forgets everything: after a power loss nothing of before is on its way, nor certain. */
  public void reset() {
    memory.fill((byte) 0);
    sequence = 0;
  }
}
