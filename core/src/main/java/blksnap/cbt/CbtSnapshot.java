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
import java.util.UUID;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.jspecify.annotations.Nullable;

/**
 * The change map of one device as it was when a snapshot was taken, and what was written to the
 * image since. In a mapped file; little-endian.
 *
 * <pre>
 * offset  bytes  field
 *      0      4  magic "BCFZ", stored last
 *      4      4  version 1
 *      8      8  capacity of the device in bytes
 *     16      4  block shift (log2 of bytes)
 *     20      4  until number: the interval that the take ended, 1 to 255
 *     24     16  until generation: whose intervals the bytes count (UUID, most significant long first)
 *     40     16  since generation: where what changed later is found
 *     56      4  since number: changes after this snapshot have a higher number there
 *     60      4  CRC-32C of bytes 4..59
 *   4096      n  one byte a block
 * </pre>
 */
public final class CbtSnapshot implements Closeable {
  private static final int MAGIC = Magic.of("BCFZ");
  private static final int VERSION = 1;
  private static final long MAP = 4096;
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final MappedFile file;
  private final ByteMap map;

  /** Shared by who reads or marks the map, exclusive for close; guards {@link #closed}. */
  private final ReentrantReadWriteLock gate = new ReentrantReadWriteLock();

  private boolean closed;

  /** Why it tells nothing; null while it does. */
  private volatile @Nullable String lost;

  private volatile IntervalNumbers numbers;

  private CbtSnapshot(MappedFile file, CbtGeometry geometry, IntervalNumbers numbers) {
    this.file = file;
    this.map = new ByteMap(file.segment().asSlice(MAP), geometry);
    this.numbers = numbers;
  }

  /** Makes room for a frozen map; it is none until {@link CbtMap#freezeInto} has filled it. */
  public static CbtSnapshot create(Path path, CbtGeometry geometry) throws IOException {
    MappedFile file = MappedFile.create(path, MAP + geometry.blockCount());
    file.segment().fill((byte) 0); // faults every page in now, not while writers are held
    var none = new UUID(0, 0);
    return new CbtSnapshot(file, geometry, new IntervalNumbers(none, 0, none, 0));
  }

  /**
   * Opens a frozen map.
   *
   * @throws BlkSnapException {@code EBADMSG} when the file is not one, is torn, or of another
   *     version
   */
  public static CbtSnapshot open(Path path) throws IOException {
    long bytes = Files.size(path);
    CbtGeometry geometry;
    try (MappedFile head = MappedFile.open(path, Math.min(bytes, MAP))) {
      geometry = readHeader(path, head.segment(), bytes);
    }
    MappedFile file = MappedFile.reopen(path, bytes);
    boolean opened = false;
    try {
      MemorySegment memory = file.segment();
      var numbers =
          new IntervalNumbers(
              uuid(memory, 24), memory.get(INT, 20), uuid(memory, 40), memory.get(INT, 56));
      var snapshot = new CbtSnapshot(file, geometry, numbers);
      opened = true;
      return snapshot;
    } finally {
      if (!opened) {
        file.close();
      }
    }
  }

  private static CbtGeometry readHeader(Path path, MemorySegment memory, long bytes)
      throws BlkSnapException {
    if (bytes <= MAP || memory.get(INT, 0) != MAGIC) {
      throw bad(path, "is not a frozen change map");
    }
    if (memory.get(INT, 4) != VERSION) {
      throw bad(path, "is a frozen change map of version " + memory.get(INT, 4));
    }
    if (memory.get(INT, 60) != Magic.crc(memory.asSlice(4, 56))) {
      throw bad(path, "has a bad header checksum");
    }
    CbtGeometry geometry = CbtGeometry.read(path, memory.get(LONG, 8), memory.get(INT, 16));
    if (bytes != MAP + geometry.blockCount()) {
      throw bad(path, "is " + bytes + " bytes, not " + (MAP + geometry.blockCount()));
    }
    return geometry;
  }

  private static BlkSnapException bad(Path path, String what) {
    return new BlkSnapException(Errno.EBADMSG, path + " " + what);
  }

  private static UUID uuid(MemorySegment memory, long at) {
    return new UUID(memory.get(LONG, at), memory.get(LONG, at + 8));
  }

  ByteMap map() {
    return map;
  }

  void number(IntervalNumbers given) {
    MemorySegment memory = file.segment();
    memory.set(INT, 4, VERSION);
    memory.set(LONG, 8, map.geometry().capacityBytes());
    memory.set(INT, 16, map.geometry().blockShift());
    memory.set(INT, 20, given.untilNumber());
    memory.set(LONG, 24, given.untilGeneration().getMostSignificantBits());
    memory.set(LONG, 32, given.untilGeneration().getLeastSignificantBits());
    memory.set(LONG, 40, given.sinceGeneration().getMostSignificantBits());
    memory.set(LONG, 48, given.sinceGeneration().getLeastSignificantBits());
    memory.set(INT, 56, given.sinceNumber());
    memory.set(INT, 60, Magic.crc(memory.asSlice(4, 56)));
    memory.set(INT, 0, MAGIC);
    numbers = given;
  }

  public IntervalNumbers numbers() {
    return numbers;
  }

  public CbtGeometry geometry() {
    return map.geometry();
  }

  private interface Use<T> {
    T run() throws IOException;
  }

  private <T> T whileOpen(Use<T> use) throws IOException {
    gate.readLock().lock();
    try {
      if (closed) {
        throw new BlkSnapException(Errno.ESHUTDOWN, "the snapshot of this map was destroyed");
      }
      String why = lost;
      if (why != null) {
        throw new BlkSnapException(Errno.EIO, "this change map is not to be trusted: " + why);
      }
      return use.run();
    } finally {
      gate.readLock().unlock();
    }
  }

  /**
   * Marks what was written to the image: a backup of this snapshot must read it again.
   *
   * @throws BlkSnapException {@code ESHUTDOWN} after close; so do the others
   */
  public void mark(long offset, long length) throws IOException {
    whileOpen(() -> {
      map.stamp(offset, length, (byte) numbers.untilNumber());
      return true;
    });
  }

  /** As {@link #mark}; does nothing after close, when nobody can ask any more. */
  public void markIfOpen(long offset, long length) throws IOException {
    gate.readLock().lock();
    try {
      if (!closed) {
        map.stamp(offset, length, (byte) numbers.untilNumber());
      }
    } finally {
      gate.readLock().unlock();
    }
  }

  /** As {@link CbtMap#changedSince}, up to the take. */
  public ChangedRanges changedSince(int since, long fromOffset, int maxRanges) throws IOException {
    return whileOpen(() -> map.above(since, fromOffset, maxRanges));
  }

  /** At most {@code max} bytes of the map from block {@code fromBlock} on. */
  public byte[] page(long fromBlock, int max) throws IOException {
    return whileOpen(() -> map.page(fromBlock, max));
  }

  /** From now on every question is answered with {@code EIO} and {@code why}. */
  public void lose(String why) {
    lost = why;
  }

  /** Makes it durable. */
  public void force() throws IOException {
    file.force(0, file.segment().byteSize());
  }

  /** Waits for who is reading it; twice is harmless. */
  @Override
  public void close() {
    gate.writeLock().lock();
    try {
      closed = true;
      file.close();
    } finally {
      gate.writeLock().unlock();
    }
  }
}
