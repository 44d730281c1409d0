package blksnap.diffarea;

import blksnap.diffio.DiffIo;
import blksnap.diffstorage.Location;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntSupplier;

/**
 * Reads the device as one take saw it.
 *
 * <p>A block that no area holds is read from the device without any lock, and then looked for
 * again: a writer holds the old block before it overwrites the device, so if it is still not held,
 * what was read is old. If it is held by then, the held copy is read instead. Likewise for
 * corruption: it is declared before the overwrite, and looked for after the read.
 */
public final class ImageReader {
  private static final int PIECE_BLOCKS = 256;

  /**
   * Runs shorter than this go through the cache of chunks; longer ones gain nothing from it, unless
   * they have to be copied anyhow, since the kernel takes no heap buffer.
   */
  private static final int CACHED_RUN_BLOCKS = 16;

  private final AreaChain chain;
  private final DiffArea area;
  private final ChunkCache cache;

  /**
   * @param cachedChunks most chunks kept in memory, read anew at every insertion
   */
  public ImageReader(AreaChain chain, DiffArea area, IntSupplier cachedChunks) {
    this.chain = chain;
    this.area = area;
    this.cache = new ChunkCache(area.config().chunkShift() - Location.BLOCK_SHIFT, cachedChunks);
  }

  AreaChain chain() {
    return chain;
  }

  /** The area whose take this shows. */
  public DiffArea area() {
    return area;
  }

  /**
   * Fills {@code target} with the bytes at {@code offset} as they were at the take.
   *
   * @throws BlkSnapException {@code EIO} when the area is corrupt, or becomes so by this read
   */
  public void read(long offset, ByteBuffer target) throws IOException {
    int limit = target.limit();
    long at = offset;
    while (target.position() < limit) {
      long first = at >>> Location.BLOCK_SHIFT;
      long pieceEnd = (first + PIECE_BLOCKS) << Location.BLOCK_SHIFT;
      int length = (int) Math.min(limit - target.position(), pieceEnd - at);
      target.limit(target.position() + length);
      new Piece(at, target).read();
      target.position(target.limit()).limit(limit);
      at += length;
    }
    requireGood();
  }

  /** Refuses with {@code EIO} once the area is corrupt. */
  void requireGood() throws BlkSnapException {
    Errno cause = area.corruption().orElse(null);
    if (cause != null) {
      throw new BlkSnapException(
          Errno.EIO, "the image is corrupt since " + cause + " (" + cause.meaning() + ")");
    }
  }

  /** At most {@value ImageReader#PIECE_BLOCKS} blocks of one request. */
  private final class Piece {
    private final long offset;
    private final ByteBuffer target;
    private final int base;
    private final long first;
    private final int count;
    private final long[] locations;
    private final int[] checksums;

    Piece(long offset, ByteBuffer target) {
      this.offset = offset;
      this.target = target;
      this.base = target.position();
      this.first = offset >>> Location.BLOCK_SHIFT;
      this.count = (int) (((offset + target.remaining() - 1) >>> Location.BLOCK_SHIFT) - first) + 1;
      this.locations = new long[count];
      this.checksums = new int[count];
      Arrays.fill(locations, BlockMap.ABSENT);
    }

    void read() throws IOException {
      requireGood();
      find();
      int whole = count; // blocks from this one on were not wholly inside the device
      for (int i = 0; i < count; ) {
        int end = runEnd(i, count);
        if (locations[i] == BlockMap.ABSENT) {
          whole = Math.min(whole, readDevice(i, end));
        } else {
          readHeld(i, end);
        }
        i = end;
      }
      // The areas are looked up anew: a snapshot may have been taken since, and preserve into its
      // own area.
      boolean[] wasAbsent = absent();
      find();
      for (int i = 0; i < count; i++) {
        if (wasAbsent[i] && locations[i] != BlockMap.ABSENT) {
          readHeld(i, i + 1);
        } else if (wasAbsent[i] && i >= whole) {
          throw new BlkSnapException(
              Errno.EIO, "block " + (first + i) + " was lost when the device shrank");
        }
      }
    }

    private boolean[] absent() {
      boolean[] absent = new boolean[count];
      for (int i = 0; i < count; i++) {
        absent[i] = locations[i] == BlockMap.ABSENT;
      }
      return absent;
    }

    private void find() throws IOException {
      List<DiffArea> now = chain.now(area);
      for (int i = 0; i < count; ) {
        long block = first + i;
        int inGroup =
            (int)
                Math.min(count - i, BlockMap.GROUP_BLOCKS - (block & (BlockMap.GROUP_BLOCKS - 1)));
        chain.find(now, area, block, inGroup, locations, checksums, i);
        i += inGroup;
      }
    }

    /** The end of the run of blocks that are read in one go. */
    private int runEnd(int start, int most) {
      long location = locations[start];
      int end = start + 1;
      while (end < most && locations[end] == (location < 0 ? location : location + (end - start))) {
        end++;
      }
      return end;
    }

    /** The part of {@code target} that the blocks {@code [from, end)} fill. */
    private ByteBuffer slice(int from, int end) {
      int start = byteAt(from);
      return target.slice(base + start, byteAt(end) - start);
    }

    private int byteAt(int index) {
      long at = ((first + index) << Location.BLOCK_SHIFT) - offset;
      return (int) Math.max(0, Math.min(at, target.limit() - base));
    }

    /**
     * Reads what is inside the device; the index of the first block that was not wholly read, or
     * the count.
     */
    private int readDevice(int from, int end) throws IOException {
      ByteBuffer part = slice(from, end);
      long at = Math.max(offset, (first + from) << Location.BLOCK_SHIFT);
      long inside = Math.max(0, chain.original().sizeBytes() - at);
      int complete = count;
      if (inside < part.remaining()) {
        // The device shrank; what was beyond its new end is held by now, and is found by the second
        // look.
        part.limit((int) inside);
        complete = (int) (((at + inside) >>> Location.BLOCK_SHIFT) - first);
      }
      if (part.hasRemaining()) {
        try {
          chain.original().read(at, part);
        } catch (IndexOutOfBoundsException e) {
          if (at + part.remaining() <= chain.original().sizeBytes()) {
            throw e;
          }
          return readDevice(from, end); // it shrank since the look at its size
        }
      }
      return complete;
    }

    private void readHeld(int from, int end) throws IOException {
      if (locations[from] == Location.ZEROES) {
        zero(slice(from, end));
      } else if (end - from < CACHED_RUN_BLOCKS || !isWhole(from, end) || !target.isDirect()) {
        for (int i = from; i < end; i++) {
          readCached(i);
        }
      } else {
        stored(from, end - from, slice(from, end));
      }
    }

    private boolean isWhole(int from, int end) {
      return byteAt(end) - byteAt(from) == (end - from) * Location.BLOCK_BYTES;
    }

    private void readCached(int index) throws IOException {
      long block = first + index;
      ByteBuffer part = slice(index, index + 1);
      int skip =
          (int) (Math.max(offset, block << Location.BLOCK_SHIFT) & (Location.BLOCK_BYTES - 1));
      if (cache.copyTo(block, skip, part)) {
        return;
      }
      ByteBuffer whole = DiffIo.blockBuffer();
      stored(index, 1, whole);
      cache.keep(block, whole, 0);
      part.put(whole.slice(skip, part.remaining()));
    }

    /** A block that comes back wrong makes the image corrupt, once and for all. */
    private void stored(int from, int blocks, ByteBuffer into) throws IOException {
      try {
        area.readStored(locations[from], blocks, checksums, from, into);
      } catch (IOException e) {
        area.corrupt(Errno.EIO, "read of block " + (first + from) + ": " + e.getMessage());
        throw e;
      }
    }
  }

  private static void zero(ByteBuffer target) {
    while (target.remaining() >= Long.BYTES) {
      target.putLong(0);
    }
    while (target.hasRemaining()) {
      target.put((byte) 0);
    }
  }
}
