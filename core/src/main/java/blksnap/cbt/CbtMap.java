package blksnap.cbt;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.MappedFile;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * The live change map of one device, in a mapped file that outlives this process: the kernel keeps
 * every store made before a kill. Little-endian.
 *
 * <pre>
 * offset  bytes  field
 *      0      4  magic "BCBT"
 *      4      4  version 1
 *      8      8  capacity of the device in bytes
 *     16      4  block shift (log2 of bytes)
 *     20      4  zero
 *     24      4  CRC-32C of bytes 4..23
 *    512     64  state slot A
 *   1024     64  state slot B
 *   2048   1024  what was written, and how the device looked: {@link WriteStamps}
 *   4096      n  one byte a block
 * </pre>
 *
 * A state slot is written whole, then the other one next time; the valid slot with the higher
 * sequence counts:
 *
 * <pre>
 *      0      8  sequence
 *      8     16  generation (UUID, most significant long first)
 *     24      4  active: the number of the current interval, 1 to 255
 *     28      4  previous: the number of the latest take, 0 when there was none
 *     32      4  flags: bit 0, the bytes must be zeroed before use
 *     60      4  CRC-32C of bytes 0..59
 * </pre>
 */
public final class CbtMap implements Closeable {
  private static final int MAGIC = Magic.of("BCBT");
  private static final int VERSION = 1;
  private static final long SLOT_A = 512;
  private static final long SLOT_BYTES = 64;
  private static final long SLOT_B = 1024;
  private static final long STAMPS = 2048;
  private static final long MAP = 4096;
  private static final int FLAG_CLEAR = 1;

  /** The last number of a generation. */
  public static final int MAX_NUMBER = 255;

  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** What a state slot holds. */
  private record State(long sequence, UUID generation, int active, int previous, int flags) {
    /** Whether it is one that is ever stored. */
    boolean isPossible() {
      boolean counted = active >= 1 && active <= MAX_NUMBER && previous == active - 1;
      return sequence >= 0 && counted && (flags == 0 || (flags == FLAG_CLEAR && previous == 0));
    }
  }

  private final MappedFile file;
  private final ByteMap live;
  private final WriteStamps stamps;
  private volatile State state;

  /** The frozen map that has all but what was stamped since; only a take changes it. */
  private @Nullable CbtSnapshot ahead;

  /** Syncs that failed so far, and how many of them a later sync of every page has made good. */
  private final AtomicInteger failedForces = new AtomicInteger();

  private volatile int forgivenForces;

  private CbtMap(MappedFile file, CbtGeometry geometry, State state) {
    this.file = file;
    this.live = new ByteMap(file.segment().asSlice(MAP), geometry);
    this.stamps = new WriteStamps(file.segment().asSlice(STAMPS, WriteStamps.BYTES));
    this.state = state;
  }

  /**
   * Makes a new file with an empty map of a new generation, and makes it durable.
   *
   * @throws BlkSnapException {@code EEXIST} when the file is there, {@code ENOSPC} when the
   *     directory has no room
   */
  public static CbtMap create(Path path, CbtGeometry geometry) throws IOException {
    MappedFile file = MappedFile.create(path, fileBytes(geometry));
    MemorySegment memory = file.segment();
    memory.fill((byte) 0); // also gives every page its place, so that a later store cannot fail
    memory.set(INT, 4, VERSION);
    memory.set(LONG, 8, geometry.capacityBytes());
    memory.set(INT, 16, geometry.blockShift());
    memory.set(INT, 24, Magic.crc(memory.asSlice(4, 20)));
    var map = new CbtMap(file, geometry, new State(0, UUID.randomUUID(), 1, 0, 0));
    map.publish(map.state);
    memory.set(INT, 0, MAGIC); // last: a half-made file is not a map
    file.force(0, memory.byteSize());
    return map;
  }

  /**
   * Opens the map that {@link #create} made, exactly as the last store left it.
   *
   * @throws BlkSnapException {@code EBADMSG} when the file is not a map, is torn, or of another
   *     version; its sentence names which
   */
  public static CbtMap open(Path path) throws IOException {
    CbtGeometry geometry;
    long bytes = Files.size(path);
    try (MappedFile head = MappedFile.open(path, Math.min(bytes, MAP))) {
      geometry = readHeader(path, head.segment(), bytes);
    }
    MappedFile file = MappedFile.reopen(path, bytes);
    boolean opened = false;
    try {
      MemorySegment memory = file.segment();
      State newest =
          newest(
                  readSlot(memory.asSlice(SLOT_A, SLOT_BYTES), 0),
                  readSlot(memory.asSlice(SLOT_B, SLOT_BYTES), 1))
              .orElseThrow(() -> bad(path, "has no valid state slot"));
      var map = new CbtMap(file, geometry, newest);
      if ((newest.flags & FLAG_CLEAR) != 0) {
        map.finishClearing();
      }
      opened = true;
      return map;
    } finally {
      if (!opened) {
        file.close();
      }
    }
  }

  private static CbtGeometry readHeader(Path path, MemorySegment memory, long bytes)
      throws IOException {
    if (memory.byteSize() < MAP) {
      throw bad(path, "is " + memory.byteSize() + " bytes, too short for a change map");
    }
    if (memory.get(INT, 0) != MAGIC) {
      throw bad(path, "is not a change map");
    }
    if (memory.get(INT, 4) != VERSION) {
      throw bad(path, "is a change map of version " + memory.get(INT, 4) + ", not " + VERSION);
    }
    if (memory.get(INT, 24) != Magic.crc(memory.asSlice(4, 20))) {
      throw bad(path, "has a bad header checksum");
    }
    CbtGeometry geometry = CbtGeometry.read(path, memory.get(LONG, 8), memory.get(INT, 16));
    if (bytes != fileBytes(geometry)) {
      throw bad(path, "is " + bytes + " bytes, not " + fileBytes(geometry));
    }
    return geometry;
  }

  private static BlkSnapException bad(Path path, String what) {
    return new BlkSnapException(Errno.EBADMSG, path + " " + what);
  }

  private static long fileBytes(CbtGeometry geometry) {
    return MAP + ((geometry.blockCount() + 4095) & ~4095L);
  }

  /**
   * @param parity of the sequences that belong into this slot
   */
  private static Optional<State> readSlot(MemorySegment slot, int parity) {
    if (slot.get(INT, 60) != Magic.crc(slot.asSlice(0, 60))) {
      return Optional.empty();
    }
    var state =
        new State(
            slot.get(LONG, 0),
            new UUID(slot.get(LONG, 8), slot.get(LONG, 16)),
            slot.get(INT, 24),
            slot.get(INT, 28),
            slot.get(INT, 32));
    return state.isPossible() && (state.sequence & 1) == parity
        ? Optional.of(state)
        : Optional.empty();
  }

  private static Optional<State> newest(Optional<State> a, Optional<State> b) {
    if (a.isPresent() && b.isPresent()) {
      return a.get().sequence > b.get().sequence ? a : b;
    }
    return a.isPresent() ? a : b;
  }

  private void publish(State next) {
    MemorySegment slot =
        file.segment().asSlice((next.sequence & 1) == 0 ? SLOT_A : SLOT_B, SLOT_BYTES);
    slot.set(LONG, 0, next.sequence);
    slot.set(LONG, 8, next.generation.getMostSignificantBits());
    slot.set(LONG, 16, next.generation.getLeastSignificantBits());
    slot.set(INT, 24, next.active);
    slot.set(INT, 28, next.previous);
    slot.set(INT, 32, next.flags);
    slot.set(INT, 60, Magic.crc(slot.asSlice(0, 60)));
    state = next;
  }

  public CbtGeometry geometry() {
    return live.geometry();
  }

  /** Which history the numbers belong to; a new one means: read everything. */
  public UUID generation() {
    return state.generation;
  }

  /** The number of the latest take of this generation; 0 when there was none. */
  public int previous() {
    return state.previous;
  }

  /** The number that is being stamped, 1 to 255. */
  public int active() {
    return state.active;
  }

  /**
   * Marks every block that the range touches as changed in this interval. Shares the write gate
   * with writers.
   *
   * @throws IndexOutOfBoundsException when the range is not inside the device
   */
  public void mark(long offset, long length) {
    live.stamp(offset, length, (byte) state.active);
  }

  /** What is known of the writes to the device and of how it looked. */
  public WriteStamps stamps() {
    return stamps;
  }

  /** Blocks changed since the latest take. Reads the whole map. */
  public long dirtyBlocks() {
    return live.countAbove(state.previous);
  }

  /**
   * Ranges changed after the take with number {@code since} of this generation, up to this moment.
   *
   * @param fromOffset bytes; where to go on
   * @param maxRanges most ranges in the answer
   */
  public ChangedRanges changedSince(int since, long fromOffset, int maxRanges) {
    return live.above(since, fromOffset, maxRanges);
  }

  /** At most {@code max} bytes of the map from block {@code fromBlock} on. */
  public byte[] page(long fromBlock, int max) {
    return live.page(fromBlock, max);
  }

  /**
   * Copies most of the map into {@code frozen} while writers mark, so that {@link #freezeInto} has
   * little left to copy; not into one of another geometry. Takes of a map are one at a time. Shares
   * the write gate with writers.
   */
  public void copyAhead(CbtSnapshot frozen) {
    if (frozen.map().geometry().equals(geometry())) {
      live.copyAheadTo(frozen.map());
      ahead = frozen;
    }
  }

  /**
   * Ends the interval: copies the map into {@code frozen} and starts the next number. After 255 the
   * generation is over and the map starts anew. Needs the write gate closed.
   */
  public void freezeInto(CbtSnapshot frozen) throws IOException {
    if (frozen.equals(ahead)) {
      live.copyTouchedTo(frozen.map());
    } else {
      frozen.map().copyFrom(live);
    }
    ahead = null;
    State now = state;
    if (now.active < MAX_NUMBER) {
      publish(new State(now.sequence + 1, now.generation, now.active + 1, now.active, 0));
    } else {
      // Flagged first: killed while zeroing, the new generation would else start with old numbers.
      publish(new State(now.sequence + 1, UUID.randomUUID(), 1, 0, FLAG_CLEAR));
      forceState(); // likewise after a power loss; once in 255 takes
      finishClearing();
    }
    frozen.number(
        new IntervalNumbers(now.generation, now.active, state.generation, state.previous));
  }

  private void finishClearing() throws IOException {
    live.clear();
    force(); // else a power loss could keep the end of the clearing and lose the zeroes
    State now = state;
    publish(new State(now.sequence + 1, now.generation, now.active, now.previous, 0));
  }

  /**
   * Marks the blocks of {@code [0, other capacity)} that {@code other} has marked, with the same
   * numbers, and carries its generation on. For a device that grew without its blocks changing
   * size. Needs the write gate closed.
   */
  public void continueFrom(CbtMap other) {
    if (other.geometry().blockShift() != geometry().blockShift()
        || other.geometry().blockCount() > geometry().blockCount()) {
      throw new IllegalArgumentException(other.geometry() + " does not continue as " + geometry());
    }
    live.bytes().copyFrom(other.live.bytes());
    State from = other.state;
    publish(new State(state.sequence + 1, from.generation, from.active, from.previous, 0));
  }

  /**
   * Makes the numbers durable: a take that was answered must not be given the same number again.
   */
  public void forceState() throws IOException {
    force(0, MAP);
  }

  /** Makes every mark so far durable, those too that an earlier sync failed to. */
  public void force() throws IOException {
    int failed = failedForces.get();
    if (failed != forgivenForces) {
      file.dirty();
    }
    force(0, file.segment().byteSize());
    forgivenForces = failed;
  }

  private void force(long offset, long length) throws IOException {
    try {
      file.force(offset, length);
    } catch (BlkSnapException e) {
      failedForces.incrementAndGet();
      throw e;
    }
  }

  @Override
  public void close() {
    file.close();
  }
}
