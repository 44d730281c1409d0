package blksnap.cli.it;

import blksnap.device.BlockDevice;
import blksnap.testing.Commands;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A disk with a write cache that remembers every change and flush, so that it can be put together
 * as a power cut at any moment might have left it. Safe from many threads.
 */
final class RecordedDisk implements BlockDevice {
  private static final int SECTOR = 512;

  /**
   * The first block is lost or kept whole: it holds the superblock of ext4, which is two sectors
   * long and does not survive when the disk tears them.
   */
  private static final int WHOLE_BYTES = 4096;

  private static final long NEVER = Long.MAX_VALUE;

  /**
   * One write or zeroing.
   *
   * @param logged where its data stand in the log, or -1 for zeroes
   */
  private record Change(long offset, int length, long logged, long started, AtomicLong ended) {}

  private record Flush(long started, long ended) {}

  private final AtomicLong clock;
  private final Path before;
  private final FileChannel now;
  private final FileChannel log;
  private final long sizeBytes;

  /** Guards all below. */
  private final ReentrantLock lock = new ReentrantLock();

  private final List<Change> changes = new ArrayList<>();
  private final List<Flush> flushes = new ArrayList<>();
  private long loggedBytes;

  /**
   * @param clock counts up with everything that happens; may be shared with other disks
   * @param before what the disk holds, durably, when the recording begins; not changed
   */
  RecordedDisk(AtomicLong clock, Path before) throws IOException {
    this.clock = clock;
    this.before = before;
    Path copy = before.resolveSibling(before.getFileName() + ".now");
    copy(before, copy);
    this.now = FileChannel.open(copy, StandardOpenOption.READ, StandardOpenOption.WRITE);
    this.log =
        FileChannel.open(
            before.resolveSibling(before.getFileName() + ".log"),
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE);
    this.sizeBytes = now.size();
  }

  private static void copy(Path from, Path to) throws IOException {
    Commands.run("cp", "--sparse=always", from.toString(), to.toString());
  }

  @Override
  public long sizeBytes() {
    return sizeBytes;
  }

  @Override
  public boolean readOnly() {
    return false;
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    readFully(now, offset, target);
  }

  private static void readFully(FileChannel from, long offset, ByteBuffer target)
      throws IOException {
    for (long at = offset; target.hasRemaining(); ) {
      int read = from.read(target, at);
      if (read < 0) {
        throw new EOFException("at " + at);
      }
      at += read;
    }
  }

  private static void writeFully(FileChannel to, long offset, ByteBuffer source)
      throws IOException {
    for (long at = offset; source.hasRemaining(); ) {
      at += to.write(source, at);
    }
  }

  @Override
  public void write(long offset, ByteBuffer source) throws IOException {
    Change change = begin(offset, source.remaining(), true);
    writeFully(log, change.logged, source.duplicate());
    writeFully(now, offset, source);
    change.ended.set(clock.incrementAndGet());
  }

  private Change begin(long offset, int length, boolean data) {
    lock.lock();
    try {
      long started = clock.incrementAndGet();
      var change =
          new Change(offset, length, data ? loggedBytes : -1, started, new AtomicLong(NEVER));
      changes.add(change);
      loggedBytes += data ? length : 0;
      return change;
    } finally {
      lock.unlock();
    }
  }

  /** Keeps the content, as a disk may. */
  @Override
  public void discard(long offset, long length) {}

  @Override
  public void writeZeroes(long offset, long length, boolean noHole) throws IOException {
    Change change = begin(offset, Math.toIntExact(length), false);
    writeFully(now, offset, ByteBuffer.allocate(Math.toIntExact(length)));
    change.ended.set(clock.incrementAndGet());
  }

  /** A flush on disk: what ended before it began is durable once it has ended. */
  @Override
  public void flush() {
    long started = clock.incrementAndGet();
    lock.lock();
    try {
      flushes.add(new Flush(started, clock.incrementAndGet()));
    } finally {
      lock.unlock();
    }
  }

  @Override
  public List<Extent> allocation(long offset, long length, int maxExtents) {
    return List.of(new Extent(length, false));
  }

  /** How many changes were recorded. */
  int changes() {
    lock.lock();
    try {
      return changes.size();
    } finally {
      lock.unlock();
    }
  }

  /** Every time at which a flush ended. */
  List<Long> flushed() {
    lock.lock();
    try {
      return flushes.stream().map(Flush::ended).toList();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Makes the disk as the cut left it: all that was flushed, and of what was under way or in the
   * cache any part, down to single sectors.
   *
   * @param cut a time of the clock
   * @return how many changes were at the mercy of the cut
   */
  int cut(Path target, long cut, Random random) throws IOException {
    copy(before, target);
    long durable = 0;
    for (Flush flush : flushes) {
      if (flush.ended < cut) {
        durable = Math.max(durable, flush.started);
      }
    }
    int loose = 0;
    double kept = random.nextInt(4) == 0 ? random.nextInt(2) : random.nextDouble();
    try (FileChannel disk = FileChannel.open(target, StandardOpenOption.WRITE)) {
      for (Change change : changes) {
        if (change.started > cut) {
          break;
        }
        ByteBuffer content = ByteBuffer.allocate(change.length);
        if (change.logged >= 0) {
          readFully(log, change.logged, content);
          content.flip();
        }
        if (change.ended.get() < durable) {
          writeFully(disk, change.offset, content);
        } else {
          loose++;
          tear(disk, change.offset, content, kept, random);
        }
      }
    }
    return loose;
  }

  private static void tear(
      FileChannel disk, long offset, ByteBuffer content, double kept, Random random)
      throws IOException {
    boolean whole = random.nextBoolean() || offset < WHOLE_BYTES;
    if (whole) {
      if (random.nextDouble() < kept) {
        writeFully(disk, offset, content);
      }
      return;
    }
    for (int at = 0; at < content.capacity(); at += SECTOR) {
      if (random.nextDouble() < kept) {
        int bytes = Math.min(SECTOR, content.capacity() - at);
        writeFully(disk, offset + at, content.slice(at, bytes));
      }
    }
  }

  @Override
  public void close() throws IOException {
    now.close();
    log.close();
  }
}
