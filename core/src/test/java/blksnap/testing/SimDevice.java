package blksnap.testing;

import blksnap.device.ResizableDevice;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;

/**
 * A disk in memory, sparse in blocks of 4 KiB, that knows what was flushed. {@link #crashed} is the
 * disk that a power loss at this moment leaves behind.
 */
public final class SimDevice implements ResizableDevice {
  public static final int BLOCK_BYTES = 4096;

  private final boolean readOnly;

  // All guarded by this. A block that is in neither map is a hole; the arrays in `durable` never
  // change.
  private final Map<Long, byte[]> blocks = new HashMap<>();
  private final Map<Long, byte[]> durable = new HashMap<>();
  private final Set<Long> unflushed = new HashSet<>();
  private long sizeBytes;
  private boolean closed;

  /** All zeroes, all holes. */
  public SimDevice(long sizeBytes) {
    this(sizeBytes, false);
  }

  private SimDevice(long sizeBytes, boolean readOnly) {
    this.sizeBytes = requireSize(sizeBytes);
    this.readOnly = readOnly;
  }

  public static SimDevice ofSectors(int sectors) {
    return new SimDevice((long) sectors * Bytes.SECTOR);
  }

  /** A disk of its own that holds what this one holds now, and refuses changes. */
  public synchronized SimDevice readOnlyCopy() {
    SimDevice copy = new SimDevice(sizeBytes, true);
    blocks.forEach((number, content) -> copy.putDurable(number, content));
    return copy;
  }

  /**
   * A disk of its own that holds what was flushed, and of every sector that was changed since the
   * old or the new bytes, as {@code random} has it. Works on a closed device too.
   */
  public synchronized SimDevice crashed(Random random) {
    SimDevice after = new SimDevice(sizeBytes);
    var contents = new HashMap<Long, byte[]>();
    durable.forEach((number, content) -> contents.put(number, content.clone()));
    for (long number : unflushed.stream().sorted().toList()) {
      byte[] newer = blocks.getOrDefault(number, Bytes.zeroes(BLOCK_BYTES));
      byte[] block = contents.computeIfAbsent(number, n -> Bytes.zeroes(BLOCK_BYTES));
      for (int at = 0; at < BLOCK_BYTES; at += Bytes.SECTOR) {
        if (random.nextBoolean()) {
          System.arraycopy(newer, at, block, at, Bytes.SECTOR);
        }
      }
    }
    contents.forEach(after::putDurable);
    return after;
  }

  private synchronized void putDurable(long number, byte[] content) {
    blocks.put(number, content.clone());
    durable.put(number, content.clone());
  }

  private static long requireSize(long bytes) {
    if (bytes <= 0 || bytes % Bytes.SECTOR != 0) {
      throw new IllegalArgumentException("a disk of " + bytes + " bytes");
    }
    return bytes;
  }

  /** Makes it longer by zeroes, or shorter. */
  @Override
  public synchronized void resize(long bytes) {
    requireSize(bytes);
    if (bytes < sizeBytes) {
      zero(bytes, sizeBytes - bytes, false);
    }
    sizeBytes = bytes;
  }

  @Override
  public synchronized long sizeBytes() {
    return sizeBytes;
  }

  @Override
  public boolean readOnly() {
    return readOnly;
  }

  @Override
  public synchronized void read(long offset, ByteBuffer target) throws BlkSnapException {
    require(offset, target.remaining());
    for (long at = offset; target.hasRemaining(); ) {
      int skip = (int) (at % BLOCK_BYTES);
      int count = Math.min(BLOCK_BYTES - skip, target.remaining());
      byte[] block = blocks.get(at / BLOCK_BYTES);
      target.put(block == null ? Bytes.zeroes(BLOCK_BYTES) : block, skip, count);
      at += count;
    }
  }

  @Override
  public synchronized void write(long offset, ByteBuffer source) throws BlkSnapException {
    requireChangeable(offset, source.remaining());
    for (long at = offset; source.hasRemaining(); ) {
      int skip = (int) (at % BLOCK_BYTES);
      int count = Math.min(BLOCK_BYTES - skip, source.remaining());
      source.get(changed(at / BLOCK_BYTES), skip, count);
      at += count;
    }
  }

  private byte[] changed(long number) {
    unflushed.add(number);
    return blocks.computeIfAbsent(number, n -> Bytes.zeroes(BLOCK_BYTES));
  }

  /** Whole blocks become holes; parts of blocks stay as they are. */
  @Override
  public synchronized void discard(long offset, long length) throws BlkSnapException {
    requireChangeable(offset, length);
    for (long number = Math.ceilDiv(offset, BLOCK_BYTES);
        (number + 1) * BLOCK_BYTES <= offset + length;
        number++) {
      punch(number);
    }
  }

  @Override
  public synchronized void writeZeroes(long offset, long length, boolean noHole)
      throws BlkSnapException {
    requireChangeable(offset, length);
    zero(offset, length, noHole);
  }

  private void zero(long offset, long length, boolean noHole) {
    for (long at = offset; at < offset + length; ) {
      int skip = (int) (at % BLOCK_BYTES);
      int count = (int) Math.min(BLOCK_BYTES - skip, offset + length - at);
      if (count == BLOCK_BYTES && !noHole) {
        punch(at / BLOCK_BYTES);
      } else if (noHole || blocks.containsKey(at / BLOCK_BYTES)) {
        Arrays.fill(changed(at / BLOCK_BYTES), skip, skip + count, (byte) 0);
      }
      at += count;
    }
  }

  private void punch(long number) {
    if (blocks.remove(number) != null) {
      unflushed.add(number);
    }
  }

  @Override
  public synchronized List<Extent> allocation(long offset, long length, int maxExtents)
      throws BlkSnapException {
    if (length <= 0 || maxExtents <= 0) {
      throw new IllegalArgumentException(maxExtents + " extents of " + length + " bytes");
    }
    require(offset, length);
    var extents = new ArrayList<Extent>();
    long end = offset + length;
    for (long at = offset; at < end && extents.size() < maxExtents; ) {
      boolean hole = isHole(at);
      long next = at;
      while (next < end && isHole(next) == hole) {
        next = (next / BLOCK_BYTES + 1) * BLOCK_BYTES;
      }
      extents.add(new Extent(Math.min(next, end) - at, hole));
      at = next;
    }
    return extents;
  }

  private boolean isHole(long offset) {
    return !blocks.containsKey(offset / BLOCK_BYTES);
  }

  /** Blocks that are not holes. */
  public synchronized int allocatedBlocks() {
    return blocks.size();
  }

  @Override
  public synchronized void flush() throws BlkSnapException {
    requireOpen();
    for (long number : unflushed) {
      byte[] content = blocks.get(number);
      if (content == null) {
        durable.remove(number);
      } else {
        durable.put(number, content.clone());
      }
    }
    unflushed.clear();
  }

  private void requireChangeable(long offset, long length) throws BlkSnapException {
    require(offset, length);
    if (readOnly) {
      throw new BlkSnapException(Errno.EPERM, "the simulated disk is read-only");
    }
  }

  private void require(long offset, long length) throws BlkSnapException {
    Objects.checkFromIndexSize(offset, length, sizeBytes);
    requireOpen();
  }

  private void requireOpen() throws BlkSnapException {
    if (closed) {
      throw new BlkSnapException(Errno.ESHUTDOWN, "the simulated disk is closed already");
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
  }
}
