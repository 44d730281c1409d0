package blksnap.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.sector.ByteRange;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * The memory that the kernel fills when it is asked where a file lies; native byte order.
 *
 * <pre>
 * offset  bytes  field
 *      0      8  first byte of the file asked for
 *      8      8  bytes asked for
 *     16      4  flags: 1 writes out first what has no place yet
 *     20      4  extents filled in
 *     24      4  extents there is room for
 *     28      4  zero
 *     32     56  each extent: byte of the file (8), byte of the device (8), bytes (8), 16 unused,
 *                flags (4), 12 unused
 * </pre>
 */
final class ExtentPage {
  /** A file in more places is refused rather than held in memory. */
  static final int MAX_EXTENTS = 1_000_000;

  private static final int HEADER_BYTES = 32;
  private static final int EXTENT_BYTES = 56;
  private static final int EXTENTS = 512;

  static final long BYTES = HEADER_BYTES + (long) EXTENTS * EXTENT_BYTES;

  private static final int FLAG_SYNC = 1;
  private static final int EXTENT_LAST = 0x1;

  /** Of no known place, not written yet, or not as it is in the file. */
  private static final int EXTENT_WITHOUT_PLACE = 0x2 | 0x4 | 0x8;

  private ExtentPage() {}

  /** Prepares the question for everything from a byte of the file on. */
  static void ask(MemorySegment page, long from) {
    page.fill((byte) 0);
    page.set(JAVA_LONG, 0, from);
    page.set(JAVA_LONG, 8, Long.MAX_VALUE - from);
    page.set(JAVA_INT, 16, FLAG_SYNC);
    page.set(JAVA_INT, 24, EXTENTS);
  }

  static int count(MemorySegment page) {
    return page.get(JAVA_INT, 20);
  }

  /** The bytes of the device that an extent takes. */
  static ByteRange place(MemorySegment page, int index, Path path) throws BlkSnapException {
    if ((flags(page, index) & EXTENT_WITHOUT_PLACE) != 0) {
      throw new BlkSnapException(
          Errno.ENOTSUP, "the data of " + path + " has no place of its own on the device");
    }
    return new ByteRange(page.get(JAVA_LONG, at(index) + 8), page.get(JAVA_LONG, at(index) + 16));
  }

  /** First byte of the file behind an extent. */
  static long end(MemorySegment page, int index) {
    return page.get(JAVA_LONG, at(index)) + page.get(JAVA_LONG, at(index) + 16);
  }

  static boolean isLast(MemorySegment page, int index) {
    return (flags(page, index) & EXTENT_LAST) != 0;
  }

  private static int flags(MemorySegment page, int index) {
    return page.get(JAVA_INT, at(index) + 40);
  }

  private static long at(int index) {
    return HEADER_BYTES + (long) index * EXTENT_BYTES;
  }
}
