package blksnap.backup;

import blksnap.device.BlockDevice;
import blksnap.linux.NativeFile;
import blksnap.qcow2.LocalFile;
import blksnap.sector.ByteRange;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.LongAdder;

/**
 * A large disk of which little is kept in memory, that remembers what was changed since it was last
 * asked. Every change puts a new array in the place of a block's, so that a copy costs little.
 * Reads may come from many threads, changes come in between.
 */
final class SparseDisk implements BlockDevice {
  static final int BLOCK = 4096;

  private final NavigableMap<Long, byte[]> blocks;
  private final TreeSet<Long> changed = new TreeSet<>();
  private final LongAdder read = new LongAdder();
  private long sizeBytes;

  SparseDisk(long sizeBytes) {
    this(sizeBytes, new TreeMap<>());
  }

  private SparseDisk(long sizeBytes, NavigableMap<Long, byte[]> blocks) {
    this.sizeBytes = sizeBytes;
    this.blocks = blocks;
  }

  /** The disk as it is now, for good. */
  SparseDisk copy() {
    return new SparseDisk(sizeBytes, new TreeMap<>(blocks));
  }

  /** Makes it larger, or cuts it off. */
  void resize(long bytes) {
    if (bytes < sizeBytes) {
      zero(bytes, (int) Math.min(BLOCK, sizeBytes - bytes));
      blocks.tailMap((bytes + BLOCK - 1) / BLOCK, true).clear();
    }
    sizeBytes = bytes;
  }

  void put(long offset, byte[] content) {
    ByteBuffer left = ByteBuffer.wrap(content);
    for (long at = offset; left.hasRemaining() && at < sizeBytes; ) {
      long block = at / BLOCK;
      int from = (int) (at % BLOCK);
      int length = (int) Math.min(Math.min(BLOCK - from, left.remaining()), sizeBytes - at);
      byte[] fresh = blocks.getOrDefault(block, new byte[BLOCK]).clone();
      left.get(fresh, from, length);
      blocks.put(block, fresh);
      changed.add(block);
      at += length;
    }
  }

  /** Zeroes that are stored as such. */
  void zero(long offset, int length) {
    put(offset, new byte[length]);
  }

  /** Makes holes of whole blocks. */
  void punch(long offset, int length) {
    for (long block = (offset + BLOCK - 1) / BLOCK; block < (offset + length) / BLOCK; block++) {
      blocks.remove(block);
      changed.add(block);
    }
  }

  /** What was changed since the last call, in tracking blocks of this size. */
  List<ByteRange> takeChanges(int trackingBytes) {
    List<ByteRange> ranges = new ArrayList<>();
    for (long block : changed) {
      long from = block * BLOCK / trackingBytes * trackingBytes;
      long end = Math.min(from + trackingBytes, sizeBytes);
      if (from >= sizeBytes || (!ranges.isEmpty() && ranges.getLast().end() >= end)) {
        continue;
      }
      ranges.add(new ByteRange(from, end - from));
    }
    changed.clear();
    return ranges;
  }

  /** Writes it to a file with holes. */
  Path writeTo(Path path) throws IOException {
    try (var file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(sizeBytes);
      for (var block : blocks.entrySet()) {
        file.seek(block.getKey() * BLOCK);
        file.write(block.getValue(), 0, (int) Math.min(BLOCK, sizeBytes - block.getKey() * BLOCK));
      }
    }
    return path;
  }

  /** Offset of a block in which a file of the same content would differ; -1 when there is none. */
  long mismatch(Path path) throws IOException {
    try (NativeFile file = NativeFile.open(path, Set.of(NativeFile.Flag.READ_ONLY))) {
      if (file.size() != sizeBytes) {
        return Math.min(file.size(), sizeBytes);
      }
      var looked = new TreeSet<>(blocks.keySet());
      OptionalLong data = file.nextData(0);
      while (data.isPresent()) {
        long end = file.nextHole(data.getAsLong()).orElse(sizeBytes);
        for (long block = data.getAsLong() / BLOCK; block * BLOCK < end; block++) {
          looked.add(block);
        }
        data = file.nextData(end);
      }
      ByteBuffer here = ByteBuffer.allocate(BLOCK);
      ByteBuffer there = ByteBuffer.allocateDirect(BLOCK);
      for (long block : looked) {
        int length = (int) Math.min(BLOCK, sizeBytes - block * BLOCK);
        read(block * BLOCK, here.clear().limit(length));
        LocalFile.readFully(file, block * BLOCK, there.clear().limit(length));
        if (here.flip().mismatch(there.flip()) >= 0) {
          return block * BLOCK;
        }
      }
      return -1;
    }
  }

  @Override
  public long sizeBytes() {
    return sizeBytes;
  }

  @Override
  public boolean readOnly() {
    return true;
  }

  /** Read from it so far. */
  long readBytes() {
    return read.sum();
  }

  @Override
  public void read(long offset, ByteBuffer target) {
    read.add(target.remaining());
    for (long at = offset; target.hasRemaining(); ) {
      int from = (int) (at % BLOCK);
      int length = Math.min(BLOCK - from, target.remaining());
      byte[] block = blocks.get(at / BLOCK);
      target.put(block == null ? new byte[BLOCK] : block, from, length);
      at += length;
    }
  }

  @Override
  public List<Extent> allocation(long offset, long length, int maxExtents) {
    List<Extent> extents = new ArrayList<>();
    long end = offset + length;
    for (long at = offset; at < end && extents.size() < maxExtents; ) {
      boolean hole = !blocks.containsKey(at / BLOCK);
      long stop;
      if (hole) {
        Long next = blocks.higherKey(at / BLOCK);
        stop = next == null ? end : next * BLOCK;
      } else {
        long block = at / BLOCK;
        while (blocks.containsKey(block)) {
          block++;
        }
        stop = block * BLOCK;
      }
      extents.add(new Extent(Math.min(end, stop) - at, hole));
      at = Math.min(end, stop);
    }
    return extents;
  }

  @Override
  public void write(long offset, ByteBuffer source) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void discard(long offset, long length) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void writeZeroes(long offset, long length, boolean noHole) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void flush() {}

  @Override
  public void close() {}
}
