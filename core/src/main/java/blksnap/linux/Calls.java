package blksnap.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Locale;

/**
 * The file calls of the C library, and the numbers of their flags; linked when the first file is
 * opened.
 */
final class Calls {
  /**
   * Calls a function of a descriptor, or an address, and memory: {@code (function, errno, long,
   * memory, long, long, memory)}; what it has not is {@link #NO_MEMORY} or 0.
   */
  static final MethodHandle WITH_MEMORY =
      Native.shape(
          FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_LONG, ADDRESS));

  /**
   * Calls a function of a descriptor and numbers: {@code (function, errno, descriptor, long, long,
   * long)}; what it has not is 0.
   */
  static final MethodHandle WITH_NUMBERS =
      Native.shape(FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));

  static final MemorySegment NO_MEMORY = MemorySegment.NULL;

  /** Of {@link #WITH_MEMORY}: name, flags, mode; an {@code int}. */
  static final MemorySegment OPENAT = Native.symbol("openat");

  /** Of {@link #WITH_MEMORY}: bytes, their count, offset. */
  static final MemorySegment PREAD = Native.symbol("pread");

  /** As {@link #PREAD}. */
  static final MemorySegment PWRITE = Native.symbol("pwrite");

  /** Of {@link #WITH_MEMORY}: name, flags, mask, answer; an {@code int}. */
  static final MemorySegment STATX = Native.symbol("statx");

  /** Of {@link #WITH_MEMORY}: answer; an {@code int}. */
  static final MemorySegment FSTATVFS = Native.symbol("fstatvfs");

  /** Of {@link #WITH_NUMBERS}; an {@code int}. */
  static final MemorySegment CLOSE = Native.symbol("close");

  /** Of {@link #WITH_NUMBERS}; an {@code int}. */
  static final MemorySegment FDATASYNC = Native.symbol("fdatasync");

  /** Of {@link #WITH_NUMBERS}; an {@code int}. */
  static final MemorySegment FSYNC = Native.symbol("fsync");

  /** Of {@link #WITH_NUMBERS}: length; an {@code int}. */
  static final MemorySegment FTRUNCATE = Native.symbol("ftruncate");

  /** Of {@link #WITH_NUMBERS}: mode, offset, length; an {@code int}. */
  static final MemorySegment FALLOCATE = Native.symbol("fallocate");

  /** Of {@link #WITH_NUMBERS}: offset, whence. */
  static final MemorySegment LSEEK = Native.symbol("lseek");

  /** Of {@link #WITH_NUMBERS}: what; an {@code int}. */
  static final MemorySegment FLOCK = Native.symbol("flock");

  /** Of {@link #WITH_NUMBERS}: offset, length, flags; an {@code int}. */
  static final MemorySegment SYNC_FILE_RANGE = Native.symbol("sync_file_range");

  /** An {@code ioctl} that most programs never need is linked by the first that does. */
  static final class Ioctl {
    static final MethodHandle CALL =
        Native.variadic("ioctl", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS), 2);

    private Ioctl() {}
  }

  /** Instead of the descriptor of a directory: the one that the process is in. */
  static final int AT_FDCWD = -100;

  static final int SYNC_FILE_RANGE_WRITE = 2;

  static final int O_RDONLY = 0;
  static final int O_RDWR = 2;
  static final int O_CREAT = 0x40;
  static final int O_EXCL = 0x80;
  static final int O_CLOEXEC = 0x8_0000;
  static final int O_PATH = 0x20_0000;
  static final int O_DIRECT;
  static final int O_NOFOLLOW;

  static {
    String arch = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT);
    switch (arch) {
      case "amd64", "x86_64" -> {
        O_DIRECT = 0x4000;
        O_NOFOLLOW = 0x2_0000;
      }
      case "aarch64", "arm64" -> {
        O_DIRECT = 0x1_0000;
        O_NOFOLLOW = 0x8000;
      }
      default ->
          throw new UnsupportedOperationException(
              "system calls are known for x86-64 and arm64, not for " + arch);
    }
  }

  static final int FALLOC_ALLOCATE = 0;
  static final int FALLOC_KEEP_SIZE = 0x01;
  static final int FALLOC_PUNCH_HOLE = 0x02;
  static final int FALLOC_ZERO_RANGE = 0x10;

  static final int SEEK_DATA = 3;
  static final int SEEK_HOLE = 4;

  static final int LOCK_EXCLUSIVE_NOW = 2 | 4;

  static final long AT_EMPTY_PATH = 0x1000;
  private static final long STATX_BASIC_STATS = 0x07ff;
  static final long STATX_BTIME = 0x0800;
  static final long STATX_DIOALIGN = 0x2000;

  static final long STATX_WANTED = STATX_BASIC_STATS | STATX_BTIME | STATX_DIOALIGN;

  static final long FIFREEZE = 0xc004_5877L;
  static final long FITHAW = 0xc004_5878L;
  static final long BLKROGET = 0x125e;
  static final long BLKSSZGET = 0x1268;

  /** {@code _IOWR('f', 11, struct fiemap)}; the header has 32 bytes. */
  static final long FS_IOC_FIEMAP = 0xc020_660bL;

  static final long BLKDISCARD = 0x1277;
  static final long BLKPBSZGET = 0x127b;
  static final long BLKZEROOUT = 0x127f;
  static final long BLKGETSIZE64 = 0x8008_1272L;

  private Calls() {}
}
