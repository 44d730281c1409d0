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

/**
 * The bytes of a {@link WriteIntent}, in a mapped file; little-endian. Used under the lock of its
 * owner, but for {@link #force}.
 *
 * <pre>
 * offset  bytes  field
 *      0      4  magic "BCWI", stored last
 *      4      4  version 1
 *      8      8  capacity of the device in bytes
 *     16      4  region shift (log2 of bytes)
 *     20      4  CRC-32C of bytes 4..19
 *    512      8  lease: until when the device may be written, milliseconds since 1970
 *   4096      n  one bit a region, lowest first: open
 * </pre>
 */
final class IntentFile implements Closeable {
  private static final int MAGIC = Magic.of("BCWI");
  private static final int VERSION = 1;
  private static final int LEAST_SHIFT = 9;
  private static final int GREATEST_SHIFT = 40;
  private static final long LEASE = 512;
  private static final long BITS = 4096;
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MappedFile file;
  private final long capacityBytes;
  private final int regionShift;

  private IntentFile(MappedFile file, long capacityBytes, int regionShift) {
    this.file = file;
    this.capacityBytes = capacityBytes;
    this.regionShift = regionShift;
  }

  static int regions(long capacityBytes, int regionShift) {
    return Math.toIntExact(((capacityBytes - 1) >>> regionShift) + 1);
  }

  /** Makes a durable record with every region closed; its entry in the directory is not synced. */
  static IntentFile create(Path path, long capacityBytes, int regionShift) throws IOException {
    MappedFile file = MappedFile.create(path, BITS + (regions(capacityBytes, regionShift) + 7) / 8);
    MemorySegment memory = file.segment();
    memory.fill((byte) 0);
    memory.set(INT, 4, VERSION);
    memory.set(LONG, 8, capacityBytes);
    memory.set(INT, 16, regionShift);
    memory.set(INT, 20, Magic.crc(memory.asSlice(4, 16)));
    memory.set(INT, 0, MAGIC);
    file.force(0, memory.byteSize());
    return new IntentFile(file, capacityBytes, regionShift);
  }

  /** Opens a record; {@code EBADMSG} when the file is none, is torn, or of another version. */
  static IntentFile open(Path path) throws IOException {
    MappedFile file = MappedFile.reopen(path, Files.size(path));
    boolean opened = false;
    try {
      MemorySegment memory = file.segment();
      if (memory.byteSize() <= BITS || memory.get(INT, 0) != MAGIC) {
        throw bad(path, "is not a write-intent record");
      }
      if (memory.get(INT, 4) != VERSION) {
        throw bad(path, "is a write-intent record of version " + memory.get(INT, 4));
      }
      if (memory.get(INT, 20) != Magic.crc(memory.asSlice(4, 16))) {
        throw bad(path, "has a bad header checksum");
      }
      long capacityBytes = memory.get(LONG, 8);
      int regionShift = memory.get(INT, 16);
      if (capacityBytes <= 0
          || regionShift < LEAST_SHIFT
          || regionShift > GREATEST_SHIFT
          || ((capacityBytes - 1) >>> regionShift) / 8 >= memory.byteSize() - BITS) {
        throw bad(
            path, "is for " + capacityBytes + " bytes in regions of 2^" + regionShift + " bytes");
      }
      opened = true;
      return new IntentFile(file, capacityBytes, regionShift);
    } finally {
      if (!opened) {
        file.close();
      }
    }
  }

  private static BlkSnapException bad(Path path, String what) {
    return new BlkSnapException(Errno.EBADMSG, path + " " + what);
  }

  long capacityBytes() {
    return capacityBytes;
  }

  int regionShift() {
    return regionShift;
  }

  int regions() {
    return regions(capacityBytes, regionShift);
  }

  boolean bit(int region) {
    return (file.segment().get(ValueLayout.JAVA_BYTE, BITS + (region >>> 3)) >> (region & 7) & 1)
        != 0;
  }

  void setBit(int region, boolean on) {
    long at = BITS + (region >>> 3);
    int mask = 1 << (region & 7);
    int old = file.segment().get(ValueLayout.JAVA_BYTE, at);
    file.segment().set(ValueLayout.JAVA_BYTE, at, (byte) (on ? old | mask : old & ~mask));
  }

  long leaseMillis() {
    return file.segment().get(LONG, LEASE);
  }

  void setLeaseMillis(long millis) {
    file.segment().set(LONG, LEASE, millis);
  }

  /** Makes everything durable that was stored before. */
  void force() throws BlkSnapException {
    file.force(0, file.segment().byteSize());
  }

  /** After a sync that failed: see {@link MappedFile#dirty}. */
  void dirty() {
    file.dirty();
  }

  @Override
  public void close() {
    file.close();
  }
}
