package blksnap.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;
import java.util.Locale;

/**
 * The file calls of the C library, and the numbers of their flags; linked when the first file is
 * opened.
 */
final class Calls {
  static final MethodHandle OPEN =
      Native.variadic("open", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT), 2);
  static final MethodHandle CLOSE =
      Native.function("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
  static final MethodHandle PREAD =
      Native.function(
          "pread", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG));
  static final MethodHandle PWRITE =
      Native.function(
          "pwrite", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG));
  static final MethodHandle FDATASYNC =
      Native.function("fdatasync", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
  static final MethodHandle FSYNC =
      Native.function("fsync", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
  static final MethodHandle FTRUNCATE =
      Native.function("ftruncate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG));
  static final MethodHandle FALLOCATE =
      Native.function(
          "fallocate", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG));
  static final MethodHandle LSEEK =
      Native.function("lseek", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT));
  static final MethodHandle FLOCK =
      Native.function("flock", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
  static final MethodHandle STATX =
      Native.function(
          "statx", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, ADDRESS));
  static final MethodHandle FSTATVFS =
      Native.function("fstatvfs", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));
  static final MethodHandle IOCTL =
      Native.variadic("ioctl", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS), 2);

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

  static final int AT_EMPTY_PATH = 0x1000;
  static final int STATX_BASIC_STATS = 0x07ff;
  static final int STATX_BTIME = 0x0800;
  static final int STATX_DIOALIGN = 0x2000;

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
