package blksnap.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;

/**
 * What the kernel knows of an open file at one moment.
 *
 * @param device number of the file system's device, as {@code stat -c %d} prints it
 * @param inode unique within {@code device}
 * @param rdevice number of the device that a device node stands for, else 0
 * @param mode type and permission bits
 * @param sizeBytes length of a regular file; 0 for a block device
 * @param allocatedBytes space taken on disk
 * @param modifiedNanos last change of the content, nanoseconds since 1970
 * @param changedNanos last change of content or attributes, nanoseconds since 1970
 * @param bornNanos when the file was made, nanoseconds since 1970; 0 when the file system does not
 *     know
 * @param directOffsetAlignment what offsets and lengths of direct I/O must be a multiple of; 0 when
 *     the kernel does not say
 * @param directMemoryAlignment what buffer addresses of direct I/O must be a multiple of; 0 when
 *     the kernel does not say
 */
public record FileStatus(
    long device,
    long inode,
    long rdevice,
    int mode,
    long sizeBytes,
    long allocatedBytes,
    long modifiedNanos,
    long changedNanos,
    long bornNanos,
    int directOffsetAlignment,
    int directMemoryAlignment) {
  private static final int TYPE_MASK = 0xf000;
  private static final int DIRECTORY = 0x4000;
  private static final int CHARACTER_DEVICE = 0x2000;
  private static final int BLOCK_DEVICE = 0x6000;
  private static final int REGULAR_FILE = 0x8000;
  private static final int SYMBOLIC_LINK = 0xa000;
  private static final int SOCKET = 0xc000;
  private static final int FIFO = 0x1000;

  private static final long NANOS_PER_SECOND = 1_000_000_000L;
  private static final long BYTES_PER_STATX_BLOCK = 512;

  /** Reads the kernel's {@code struct statx}, whose layout is the same on every machine. */
  static FileStatus fromStatx(MemorySegment statx) {
    boolean directKnown = (statx.get(JAVA_INT, 0) & Calls.STATX_DIOALIGN) != 0;
    return new FileStatus(
        deviceNumber(statx.get(JAVA_INT, 136), statx.get(JAVA_INT, 140)),
        statx.get(JAVA_LONG, 32),
        deviceNumber(statx.get(JAVA_INT, 128), statx.get(JAVA_INT, 132)),
        Short.toUnsignedInt(statx.get(JAVA_SHORT, 28)),
        statx.get(JAVA_LONG, 40),
        statx.get(JAVA_LONG, 48) * BYTES_PER_STATX_BLOCK,
        nanos(statx, 112),
        nanos(statx, 96),
        (statx.get(JAVA_INT, 0) & Calls.STATX_BTIME) != 0 ? nanos(statx, 80) : 0,
        directKnown ? statx.get(JAVA_INT, 156) : 0,
        directKnown ? statx.get(JAVA_INT, 152) : 0);
  }

  private static long nanos(MemorySegment statx, long offset) {
    return statx.get(JAVA_LONG, offset) * NANOS_PER_SECOND + statx.get(JAVA_INT, offset + 8);
  }

  /** Major and minor as the C library packs them: 12 and 8 low bits first, the high ones above. */
  private static long deviceNumber(int major, int minor) {
    return (major & 0xffff_f000L) << 32
        | (major & 0xfffL) << 8
        | (minor & 0xffff_ff00L) << 12
        | (minor & 0xffL);
  }

  public boolean isRegularFile() {
    return type() == REGULAR_FILE;
  }

  public boolean isBlockDevice() {
    return type() == BLOCK_DEVICE;
  }

  public boolean isDirectory() {
    return type() == DIRECTORY;
  }

  /** Whether this is the file, or the device node of the same device, that {@code other} is. */
  public boolean sameAs(FileStatus other) {
    if (isBlockDevice() && other.isBlockDevice()) {
      return rdevice == other.rdevice;
    }
    return device == other.device && inode == other.inode;
  }

  /** The kind of file in words, with an article: {@code a directory}. */
  public String kind() {
    return switch (type()) {
      case REGULAR_FILE -> "a regular file";
      case BLOCK_DEVICE -> "a block device";
      case DIRECTORY -> "a directory";
      case CHARACTER_DEVICE -> "a character device";
      case SYMBOLIC_LINK -> "a symbolic link";
      case SOCKET -> "a socket";
      case FIFO -> "a named pipe";
      default -> "of unknown type " + Integer.toOctalString(mode);
    };
  }

  private int type() {
    return mode & TYPE_MASK;
  }
}
