package blksnap.diffarea;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.Directories;
import blksnap.linux.MappedFile;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The mappings of one area, appended before the original is overwritten: where each block went, and
 * its checksum. In preallocated mapped files {@code 0.map}, {@code 1.map}, ... of one directory, so
 * that a store outlives a kill and cannot fail for want of space. Little-endian; each file begins
 * with
 *
 * <pre>
 * offset  bytes  field
 *      0      4  magic "BDMP"
 *      4      4  version 1
 *      8      4  file number
 *     12      4  record bytes, 32
 *     16     16  area (UUID, most significant long first)
 *     32      4  CRC-32C of bytes 0..31
 *     36      4  in file 0: errno of what made the area corrupt; 0 while it is good
 *     40      8  in file 0: how many records there are, counted after each was stored; all bits inverted
 *     48         records
 * </pre>
 *
 * and each record, a run of blocks that follow each other on the device and in storage, is
 *
 * <pre>
 *      0      8  first block (offset on the device / 4096)
 *      8      8  location of the first block; all ones: zeroes
 *     16      4  count of blocks; 1 unless zeroes
 *     20      4  kind: 1 preserved old data, 2 private to the image
 *     24      4  CRC-32C of the block's 4096 bytes; 0 for zeroes
 *     28      4  seal: CRC-32C of bytes 0..27, exclusive-or the four words of the area's UUID; 1 if that is 0
 * </pre>
 *
 * The last record may have a seal that does not match: it was not finished when the process was
 * killed. Its block had not been overwritten yet, so it counts as not there. Anything else that
 * does not match, or is counted and not there, is damage, but after a power loss, which may take
 * records and leave later ones. Later records of the same kind and block replace earlier ones.
 */
final class MappingLog implements Closeable {
  /** Old data of the device. */
  static final int PRESERVED = 1;

  /** Written to the image. */
  static final int PRIVATE = 2;

  /** Gets each valid record in order. */
  interface Replay {
    void record(int kind, long block, long location, int count, int checksum) throws IOException;
  }

  private static final int MAGIC = 'B' | 'D' << 8 | 'M' << 16 | 'P' << 24;
  private static final int VERSION = 1;
  private static final int CORRUPTION = 36;
  private static final int COUNT = 40;
  private static final int HEADER_BYTES = 48;
  private static final int RECORD_BYTES = 32;
  private static final long FIRST_FILE_BYTES = 64 << 10;
  private static final long FILE_BYTES = 1 << 20;
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path directory;
  private final UUID area;

  /** Guards everything below; held while a record is stored, and while a further file is made. */
  private final ReentrantLock lock = new ReentrantLock();

  @GuardedBy("lock")
  private final List<MappedFile> files = new ArrayList<>();

  /** Where the next record goes in the last file. */
  @GuardedBy("lock")
  private long tail;

  /** Records in all files. */
  @GuardedBy("lock")
  private long count;

  /** Files before this one are durable. */
  @GuardedBy("lock")
  private int firstUnforced;

  /** Bytes of file {@link #firstUnforced} that are durable. */
  @GuardedBy("lock")
  private long forced;

  /** Files from this one on may have names that are not durable. */
  @GuardedBy("lock")
  private int firstUnnamed;

  @GuardedBy("lock")
  private final CRC32C crc = new CRC32C();

  private MappingLog(Path directory, UUID area) {
    this.directory = directory;
    this.area = area;
  }

  /** Makes an empty log in a directory of its own, which must not be there yet. */
  static MappingLog create(Path directory, UUID area) throws IOException {
    Files.createDirectory(
        directory,
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    var log = new MappingLog(directory, area);
    log.lock.lock();
    try {
      log.addFile();
      return log;
    } finally {
      log.lock.unlock();
    }
  }

  /**
   * Opens a log and hands every valid record to {@code replay}; records may then be added.
   *
   * @throws BlkSnapException {@code EBADMSG} when a file is none of this area's log, is torn, or of
   *     another version
   */
  static MappingLog open(Path directory, UUID area, boolean powerLost, Replay replay)
      throws IOException {
    var log = new MappingLog(directory, area);
    boolean opened = false;
    log.lock.lock();
    try {
      for (int n = 0; Directories.exists(log.path(n)); n++) {
        if (n > 0 && Files.size(log.path(n)) < FILE_BYTES) { // killed while it was being made
          Files.delete(log.path(n));
          break;
        }
        if (Files.size(log.path(n)) != bytesOf(n)) {
          throw new BlkSnapException(
              Errno.EBADMSG,
              log.path(n) + " is " + Files.size(log.path(n)) + " bytes, not " + bytesOf(n));
        }
        MappedFile file = MappedFile.open(log.path(n), bytesOf(n));
        log.files.add(file);
        if (!log.headerIsValid(file.segment(), n)) {
          if (n > 0) { // killed while the file was being made: nothing was stored in it
            log.files.removeLast();
            file.close();
            Files.delete(log.path(n));
            break;
          }
          throw new BlkSnapException(
              Errno.EBADMSG,
              log.path(n) + " is not file " + n + " of the mappings of area " + area);
        }
        if (n > 0 && !powerLost && log.tail + RECORD_BYTES <= log.sizeOf(n - 1)) {
          throw new BlkSnapException(
              Errno.EBADMSG, log.path(n - 1) + " has a bad record, and mappings follow it");
        }
        log.tail = log.replay(file.segment(), powerLost, replay);
      }
      if (log.files.isEmpty()) {
        throw new BlkSnapException(Errno.EBADMSG, "there are no mappings in " + directory);
      }
      long counted = ~log.files.getFirst().segment().get(LONG, COUNT); // a page of zeroes counts -1
      if ((counted < 0 || log.count < counted) && !powerLost) {
        throw new BlkSnapException(
            Errno.EBADMSG, directory + " has " + log.count + " mappings of " + counted);
      }
      opened = true;
      return log;
    } finally {
      log.lock.unlock();
      if (!opened) {
        log.close();
      }
    }
  }

  private Path path(int number) {
    return directory.resolve(number + ".map");
  }

  private static long bytesOf(int number) {
    return number == 0 ? FIRST_FILE_BYTES : FILE_BYTES;
  }

  /**
   * Whether the log in this directory is not needed any more: its area was condemned, or no log is
   * there.
   */
  static boolean isCondemned(Path directory, int condemned) {
    Path first = directory.resolve("0.map");
    try {
      if (!Directories.exists(first)) {
        return true;
      }
      try (MappedFile file = MappedFile.open(first, HEADER_BYTES)) {
        return file.segment().get(INT, CORRUPTION) == condemned;
      }
    } catch (IOException e) {
      return false; // what cannot be read was not condemned
    }
  }

  @GuardedBy("lock")
  private boolean headerIsValid(MemorySegment memory, int number) {
    return memory.byteSize() > HEADER_BYTES
        && memory.get(INT, 0) == MAGIC
        && memory.get(INT, 4) == VERSION
        && memory.get(INT, 8) == number
        && memory.get(INT, 12) == RECORD_BYTES
        && memory.get(LONG, 16) == area.getMostSignificantBits()
        && memory.get(LONG, 24) == area.getLeastSignificantBits()
        && memory.get(INT, 32) == checksum(memory.asSlice(0, 32));
  }

  @GuardedBy("lock")
  private long sizeOf(int number) {
    return files.get(number).segment().byteSize();
  }

  /** Where the next record goes: after the last valid one. */
  @GuardedBy("lock")
  private long replay(MemorySegment memory, boolean powerLost, Replay replay) throws IOException {
    long end = HEADER_BYTES;
    for (long at = HEADER_BYTES; at + RECORD_BYTES <= memory.byteSize(); at += RECORD_BYTES) {
      MemorySegment record = memory.asSlice(at, RECORD_BYTES);
      if (record.get(INT, 28) != seal(record)) {
        // One may have been cut off by a kill; behind it there can be nothing.
        if (!powerLost && at != end && !isZero(record)) {
          throw new BlkSnapException(
              Errno.EBADMSG, "the mappings of area " + area + " are damaged at byte " + at);
        }
        continue;
      }
      if (at != end && !powerLost) {
        throw new BlkSnapException(
            Errno.EBADMSG, "the mappings of area " + area + " have a gap before byte " + at);
      }
      end = at + RECORD_BYTES;
      count++;
      replay.record(
          record.get(INT, 20),
          record.get(LONG, 0),
          record.get(LONG, 8),
          record.get(INT, 16),
          record.get(INT, 24));
    }
    return end;
  }

  private static boolean isZero(MemorySegment memory) {
    for (long at = 0; at < memory.byteSize(); at += Long.BYTES) {
      if (memory.get(LONG, at) != 0) {
        return false;
      }
    }
    return true;
  }

  @GuardedBy("lock")
  private void addFile() throws IOException {
    int number = files.size();
    MappedFile file = MappedFile.create(path(number), bytesOf(number));
    MemorySegment memory = file.segment();
    memory.set(INT, 0, MAGIC);
    memory.set(INT, 4, VERSION);
    memory.set(INT, 8, number);
    memory.set(INT, 12, RECORD_BYTES);
    memory.set(LONG, 16, area.getMostSignificantBits());
    memory.set(LONG, 24, area.getLeastSignificantBits());
    memory.set(INT, 32, checksum(memory.asSlice(0, 32)));
    memory.set(LONG, COUNT, ~count);
    files.add(file);
    tail = HEADER_BYTES;
  }

  /**
   * Appends the mapping of {@code count} blocks that follow each other.
   *
   * @param checksums of the blocks, from {@code at} on; null for zeroes
   * @throws BlkSnapException {@code ENOSPC} when the state directory has no room for more records
   */
  void append(int kind, long block, long location, int count, int @Nullable [] checksums, int at)
      throws IOException {
    lock.lock();
    try {
      if (checksums == null) {
        store(kind, block, location, count, 0);
      } else {
        for (int i = 0; i < count; i++) {
          store(kind, block + i, location + i, 1, checksums[at + i]);
        }
      }
    } finally {
      lock.unlock();
    }
  }

  @GuardedBy("lock")
  private void store(int kind, long block, long location, int count, int checksum)
      throws IOException {
    MemorySegment memory = files.getLast().segment();
    if (tail + RECORD_BYTES > memory.byteSize()) {
      addFile();
      memory = files.getLast().segment();
    }
    MemorySegment record = memory.asSlice(tail, RECORD_BYTES);
    record.set(LONG, 0, block);
    record.set(LONG, 8, location);
    record.set(INT, 16, count);
    record.set(INT, 20, kind);
    record.set(INT, 24, checksum);
    record.set(INT, 28, seal(record));
    tail += RECORD_BYTES;
    this.count++;
    files.getFirst().segment().set(LONG, COUNT, ~this.count);
  }

  /**
   * The UUID in it keeps a record of another area, left in reused space, from being taken for one
   * of this.
   */
  @GuardedBy("lock")
  private int seal(MemorySegment record) {
    crc.reset();
    crc.update(record.asSlice(0, 28).asByteBuffer());
    long words = area.getMostSignificantBits() ^ area.getLeastSignificantBits();
    int sealed = (int) crc.getValue() ^ (int) (words ^ words >>> 32);
    return sealed == 0 ? 1 : sealed;
  }

  @GuardedBy("lock")
  private int checksum(MemorySegment memory) {
    crc.reset();
    crc.update(memory.asByteBuffer());
    return (int) crc.getValue();
  }

  /** Remembers that the area is corrupt; cannot fail for want of space. */
  void corrupt(int errno) {
    lock.lock();
    try {
      files.getFirst().segment().set(INT, CORRUPTION, errno);
    } finally {
      lock.unlock();
    }
  }

  /** The errno that {@link #corrupt} remembered, or 0. */
  int corruption() {
    lock.lock();
    try {
      return files.getFirst().segment().get(INT, CORRUPTION);
    } finally {
      lock.unlock();
    }
  }

  /** Makes what {@link #corrupt} remembered durable, also after an attempt that failed. */
  void forceCorruption() throws IOException {
    lock.lock();
    try {
      files.getFirst().dirty();
      files.getFirst().force(CORRUPTION, Integer.BYTES);
    } finally {
      lock.unlock();
    }
  }

  /** Makes every record so far durable. */
  void force() throws IOException {
    lock.lock();
    try {
      for (; firstUnforced < files.size() - 1; firstUnforced++) {
        MappedFile file = files.get(firstUnforced);
        file.force(forced, file.segment().byteSize() - forced);
        forced = 0;
      }
      files.getLast().force(forced, tail - forced);
      forced = tail;
      if (firstUnnamed < files.size()) {
        Directories.sync(directory);
        firstUnnamed = files.size();
      }
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void close() {
    lock.lock();
    try {
      files.forEach(MappedFile::close);
    } finally {
      lock.unlock();
    }
  }

  /** Closes it and removes its files; removing goes on when one fails. */
  void delete() throws IOException {
    close();
    IOException failure = null;
    for (int n = 0; Directories.exists(path(n)); n++) {
      try {
        Files.delete(path(n));
      } catch (IOException e) {
        failure = e;
        break;
      }
    }
    Files.deleteIfExists(directory);
    if (failure != null) {
      throw failure;
    }
  }
}
