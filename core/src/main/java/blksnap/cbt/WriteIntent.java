package blksnap.cbt;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.MappedFile;
import blksnap.sector.ByteRange;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The coarse write-intent record of one device. A region that may hold marks which are not durable
 * yet is open, and its bit was made durable before the first write into it. After a power loss
 * every open region counts as changed; a checkpoint closes those that rested. In a mapped file;
 * little-endian.
 *
 * <pre>
 * offset  bytes  field
 *      0      4  magic "BCWI", stored last
 *      4      4  version 1
 *      8      8  capacity of the device in bytes
 *     16      4  region shift (log2 of bytes)
 *     20      4  CRC-32C of bytes 4..19
 *   4096      n  one bit a region, lowest first: open
 * </pre>
 *
 * <p>Why marking comes before {@link #open}: a checkpoint first turns regions closed in memory,
 * then makes the map durable, then clears their bits. A writer that still saw its region open had
 * marked before, so its mark is in the map that was made durable. A writer that saw it closed opens
 * it anew.
 */
public final class WriteIntent implements Closeable {
  /**
   * log2 of the bytes in a region: after a power loss at most this much is over-reported for each
   * region in use.
   */
  public static final int REGION_SHIFT = 24;

  private static final int MAGIC = Magic.of("BCWI");
  private static final int VERSION = 1;
  private static final long BITS = 4096;
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle BYTES = MethodHandles.arrayElementVarHandle(byte[].class);

  private final MappedFile file;
  private final long capacityBytes;

  /** Read without the lock by writers; written under it. */
  private final byte[] open;

  /** Regions written since the last checkpoint; set by writers, taken by the checkpoint. */
  private final byte[] touched;

  /**
   * Guards the bits of the file and every change of {@link #open}; held across the msync that opens
   * a region.
   */
  private final ReentrantLock lock = new ReentrantLock();

  private WriteIntent(MappedFile file, long capacityBytes) {
    this.file = file;
    this.capacityBytes = capacityBytes;
    int regions = regions(capacityBytes);
    this.open = new byte[regions];
    this.touched = new byte[regions];
  }

  private static int regions(long capacityBytes) {
    return Math.toIntExact(((capacityBytes - 1) >>> REGION_SHIFT) + 1);
  }

  /** Makes an empty, durable record. */
  public static WriteIntent create(Path path, long capacityBytes) throws IOException {
    MappedFile file = MappedFile.create(path, BITS + (regions(capacityBytes) + 7) / 8);
    MemorySegment memory = file.segment();
    memory.fill((byte) 0);
    memory.set(INT, 4, VERSION);
    memory.set(LONG, 8, capacityBytes);
    memory.set(INT, 16, REGION_SHIFT);
    memory.set(INT, 20, Magic.crc(memory.asSlice(4, 16)));
    memory.set(INT, 0, MAGIC);
    file.force(0, memory.byteSize());
    return new WriteIntent(file, capacityBytes);
  }

  /**
   * Opens a record with the regions that were open when it was last used.
   *
   * @throws BlkSnapException {@code EBADMSG} when the file is none, is torn, or of another version
   */
  public static WriteIntent open(Path path) throws IOException {
    MappedFile file = MappedFile.open(path, Files.size(path));
    boolean opened = false;
    try {
      MemorySegment memory = file.segment();
      if (memory.byteSize() <= BITS || memory.get(INT, 0) != MAGIC) {
        throw new BlkSnapException(Errno.EBADMSG, path + " is not a write-intent record");
      }
      if (memory.get(INT, 4) != VERSION || memory.get(INT, 16) != REGION_SHIFT) {
        throw new BlkSnapException(
            Errno.EBADMSG, path + " is a write-intent record of version " + memory.get(INT, 4));
      }
      if (memory.get(INT, 20) != Magic.crc(memory.asSlice(4, 16))) {
        throw new BlkSnapException(Errno.EBADMSG, path + " has a bad header checksum");
      }
      var intent = new WriteIntent(file, memory.get(LONG, 8));
      for (int region = 0; region < intent.open.length; region++) {
        intent.open[region] = intent.bit(region) ? (byte) 1 : 0;
      }
      opened = true;
      return intent;
    } finally {
      if (!opened) {
        file.close();
      }
    }
  }

  public long capacityBytes() {
    return capacityBytes;
  }

  /**
   * Makes sure, after the range was marked and before it is written, that its regions are durably
   * open.
   *
   * @throws IOException when the state directory fails; the regions then count as open in memory,
   *     and a power loss may take the marks
   */
  public void open(long offset, long length) throws IOException {
    VarHandle.fullFence(); // the mark must be visible before the region is seen open
    int last = (int) ((offset + length - 1) >>> REGION_SHIFT);
    for (int region = (int) (offset >>> REGION_SHIFT); region <= last; region++) {
      if ((byte) BYTES.getOpaque(touched, region) == 0) {
        BYTES.setOpaque(touched, region, (byte) 1);
      }
      if ((byte) BYTES.getVolatile(open, region) == 0) {
        openDurably(region, last);
      }
    }
  }

  private void openDurably(int first, int last) throws IOException {
    lock.lock();
    try {
      for (int region = first; region <= last; region++) {
        setBit(region, true);
      }
      int firstByte = first >>> 3;
      try {
        file.force(BITS + firstByte, (last >>> 3) - firstByte + 1);
      } finally {
        for (int region = first; region <= last; region++) {
          BYTES.setVolatile(open, region, (byte) 1);
        }
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Closes the regions that were not written since the last checkpoint, after making {@code map}
   * durable. Does nothing, not even a sync, when no region rested.
   *
   * @return whether regions are still open, so that another checkpoint is due
   */
  public boolean checkpoint(CbtMap map) throws IOException {
    List<Integer> rested = new ArrayList<>();
    boolean stillOpen = false;
    lock.lock();
    try {
      for (int region = 0; region < open.length; region++) {
        if (open[region] != 0) {
          if ((byte) BYTES.getAndSet(touched, region, (byte) 0) == 0) {
            rested.add(region);
            BYTES.setVolatile(open, region, (byte) 0);
          } else {
            stillOpen = true;
          }
        }
      }
    } finally {
      lock.unlock();
    }
    if (rested.isEmpty()) {
      return stillOpen;
    }
    VarHandle.fullFence();
    boolean durable = false;
    try {
      map.force();
      durable = true;
    } finally {
      if (!durable) {
        reopen(rested);
      }
    }
    lock.lock();
    try {
      for (int region : rested) {
        if (open[region] == 0) { // not opened anew in the meantime
          setBit(region, false);
        }
      }
      file.force(BITS, file.segment().byteSize() - BITS);
    } finally {
      lock.unlock();
    }
    return stillOpen;
  }

  private void reopen(List<Integer> regions) {
    lock.lock();
    try {
      for (int region : regions) {
        BYTES.setVolatile(open, region, (byte) 1); // their bits were never cleared
      }
    } finally {
      lock.unlock();
    }
  }

  /** What may have changed without a durable mark. */
  public List<ByteRange> openRanges() {
    List<ByteRange> ranges = new ArrayList<>();
    for (int region = 0; region < open.length; region++) {
      if ((byte) BYTES.getVolatile(open, region) != 0) {
        long offset = (long) region << REGION_SHIFT;
        ranges.add(new ByteRange(offset, Math.min(1L << REGION_SHIFT, capacityBytes - offset)));
      }
    }
    return ranges;
  }

  private boolean bit(int region) {
    return (file.segment().get(ValueLayout.JAVA_BYTE, BITS + (region >>> 3)) >> (region & 7) & 1)
        != 0;
  }

  private void setBit(int region, boolean on) {
    long at = BITS + (region >>> 3);
    int mask = 1 << (region & 7);
    int old = file.segment().get(ValueLayout.JAVA_BYTE, at);
    file.segment().set(ValueLayout.JAVA_BYTE, at, (byte) (on ? old | mask : old & ~mask));
  }

  @Override
  public void close() {
    file.close();
  }
}
