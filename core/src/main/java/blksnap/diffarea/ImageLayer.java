package blksnap.diffarea;

import blksnap.buffer.BufferPool;
import blksnap.device.BlockDevice;
import blksnap.diffio.DiffIo;
import blksnap.diffstorage.Location;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.Lock;

/**
 * One image, readable and writable: what was written to it lies, block by block and private to it,
 * over what the take saw. Writers of a chunk exclude each other and its readers; different chunks
 * go in parallel.
 */
public final class ImageLayer {
  private static final int MAX_PIECE_BYTES = DiffIo.MAX_COPY_BYTES;

  private final ImageReader reader;
  private final DiffArea area;
  private final int chunkShift;
  private final ChunkLocks locks = new ChunkLocks();

  public ImageLayer(ImageReader reader) {
    this.reader = reader;
    this.area = reader.area();
    this.chunkShift = area.config().chunkShift();
  }

  /** Does one thing to the bytes {@code [offset, offset + length)}, which lie in one chunk. */
  private interface PieceAction {
    void run(long offset, int length) throws IOException;
  }

  /** Fills {@code target} with the image's bytes at {@code offset}. */
  public void read(long offset, ByteBuffer target) throws IOException {
    if (area.privateBlocks().isEmpty()) {
      reader.read(offset, target);
      return;
    }
    int start = target.position();
    int limit = target.limit();
    inPieces(
        offset,
        target.remaining(),
        false,
        (at, length) -> {
          int position = start + (int) (at - offset);
          target.limit(position + length).position(position);
          readLocked(at, target);
        });
    target.limit(limit).position(limit);
    reader.requireGood();
  }

  /** Writes {@code source} to the image alone. */
  public void write(long offset, ByteBuffer source) throws IOException {
    int start = source.position();
    inPieces(
        offset,
        source.remaining(),
        true,
        (at, length) -> overlay(at, length, source.slice(start + (int) (at - offset), length)));
    source.position(source.limit());
  }

  /** Makes a range of the image read as zeroes. */
  public void zero(long offset, long length) throws IOException {
    inPieces(
        offset,
        length,
        true,
        (at, count) -> {
          long firstWhole = (at + Location.BLOCK_BYTES - 1) >>> Location.BLOCK_SHIFT;
          long endWhole = (at + count) >>> Location.BLOCK_SHIFT;
          if (at + count == area.config().sizeBytes()) {
            endWhole = area.blocks(); // the short last block counts as whole
          }
          if (firstWhole >= endWhole) {
            overlay(at, count, ByteBuffer.allocateDirect(count));
            return;
          }
          int head = (int) ((firstWhole << Location.BLOCK_SHIFT) - at);
          if (head > 0) {
            overlay(at, head, ByteBuffer.allocateDirect(head));
          }
          area.zeroPrivate(firstWhole, (int) (endWhole - firstWhole));
          long tailAt = endWhole << Location.BLOCK_SHIFT;
          int tail = (int) (at + count - tailAt);
          if (tail > 0) {
            overlay(tailAt, tail, ByteBuffer.allocateDirect(tail));
          }
        });
  }

  /** Makes what was written to the image durable. */
  public void sync() throws IOException {
    area.sync();
  }

  /**
   * How the image is laid out: a hole where it reads as zeroes and nothing is stored. The device
   * may be overwritten while it is asked, so a hole of the device counts only if the block was not
   * preserved before or after asking.
   */
  public List<BlockDevice.Extent> allocation(long offset, long length, int maxExtents)
      throws IOException {
    return new ImageAllocation(reader, area).of(offset, length, maxExtents);
  }

  /** Which of the range is held for the image, rather than read from the device. */
  public List<HeldRun> held(long offset, long length, int maxRuns) throws IOException {
    return new ImageAllocation(reader, area).held(offset, length, maxRuns);
  }

  private void inPieces(long offset, long length, boolean exclusive, PieceAction action)
      throws IOException {
    reader.requireGood();
    long end = offset + length;
    for (long at = offset; at < end; ) {
      long chunk = at >>> chunkShift;
      long stop = Math.min(end, Math.min((chunk + 1) << chunkShift, at + MAX_PIECE_BYTES));
      stop = stop == end ? end : stop & -Location.BLOCK_BYTES; // no needless partial block
      Lock lock = exclusive ? locks.of(chunk).writeLock() : locks.of(chunk).readLock();
      lock.lock();
      try {
        action.run(at, (int) (stop - at));
      } finally {
        lock.unlock();
      }
      at = stop;
    }
  }

  /**
   * Puts bytes over the image: the blocks at the edges are completed with what the image shows
   * there.
   */
  private void overlay(long offset, int length, ByteBuffer bytes) throws IOException {
    long first = offset >>> Location.BLOCK_SHIFT;
    long end = ((offset + length - 1) >>> Location.BLOCK_SHIFT) + 1;
    int blockBytes = (int) (end - first) << Location.BLOCK_SHIFT;
    try (BufferPool.Lease lease = area.diffIo().take(blockBytes)) {
      ByteBuffer whole = lease.buffer();
      int skip = (int) (offset - (first << Location.BLOCK_SHIFT));
      if (skip > 0) {
        fillBlock(first, whole.slice(0, Location.BLOCK_BYTES));
      }
      if (skip + length < blockBytes && (skip == 0 || end - first > 1)) {
        fillBlock(end - 1, whole.slice(blockBytes - Location.BLOCK_BYTES, Location.BLOCK_BYTES));
      }
      whole.put(skip, bytes, bytes.position(), length);
      area.writePrivate(first, whole.rewind());
    }
  }

  /** What the image shows of a block, zeroes beyond its end. */
  private void fillBlock(long block, ByteBuffer target) throws IOException {
    long offset = block << Location.BLOCK_SHIFT;
    int inside = (int) Math.min(Location.BLOCK_BYTES, area.config().sizeBytes() - offset);
    for (int i = inside; i < Location.BLOCK_BYTES; i++) {
      target.put(i, (byte) 0);
    }
    readLocked(offset, target.limit(inside));
  }

  private void readLocked(long offset, ByteBuffer target) throws IOException {
    long first = offset >>> Location.BLOCK_SHIFT;
    int count = (int) (((offset + target.remaining() - 1) >>> Location.BLOCK_SHIFT) - first) + 1;
    long[] locations = new long[count];
    int[] checksums = new int[count];
    Arrays.fill(locations, BlockMap.ABSENT);
    for (int i = 0; i < count; ) {
      long block = first + i;
      int inGroup =
          (int) Math.min(count - i, BlockMap.GROUP_BLOCKS - (block & (BlockMap.GROUP_BLOCKS - 1)));
      area.privateBlocks().find(block, inGroup, locations, checksums, i);
      i += inGroup;
    }
    int base = target.position();
    int limit = target.limit();
    for (int i = 0; i < count; ) {
      int end = i + 1;
      while (end < count && locations[i] == BlockMap.ABSENT && locations[end] == BlockMap.ABSENT) {
        end++;
      }
      long from = Math.max(offset, (first + i) << Location.BLOCK_SHIFT);
      long stop = Math.min(offset + limit - base, (first + end) << Location.BLOCK_SHIFT);
      ByteBuffer part = target.slice(base + (int) (from - offset), (int) (stop - from));
      if (locations[i] == BlockMap.ABSENT) {
        reader.read(from, part);
      } else {
        readPrivate(locations[i], checksums[i], (int) (from & (Location.BLOCK_BYTES - 1)), part);
      }
      i = end;
    }
    target.position(limit);
  }

  private void readPrivate(long location, int checksum, int skip, ByteBuffer target)
      throws IOException {
    if (location == Location.ZEROES) {
      while (target.hasRemaining()) {
        target.put((byte) 0);
      }
      return;
    }
    ByteBuffer whole = DiffIo.blockBuffer();
    area.readStored(location, 1, new int[] {checksum}, 0, whole);
    target.put(whole.slice(skip, target.remaining()));
  }
}
