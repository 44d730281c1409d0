package blksnap.linux;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;

/** The kernel's name for the time since it started: while it is the same, no power was lost. */
public final class BootId {
  private static final Path SOURCE = Path.of("/proc/sys/kernel/random/boot_id");

  private static final Path STATISTICS = Path.of("/proc/stat");

  private BootId() {}

  public static UUID read() throws BlkSnapException {
    return read(SOURCE);
  }

  /**
   * When the machine was started, milliseconds since 1970, to the second; the clock may have been
   * set since.
   */
  public static long bootMillis() throws BlkSnapException {
    try {
      for (String line : Files.readAllLines(STATISTICS)) {
        if (line.startsWith("btime ")) {
          return Long.parseLong(line.substring("btime ".length()).strip()) * 1_000;
        }
      }
    } catch (IOException | NumberFormatException e) {
      throw new BlkSnapException(Errno.EIO, "cannot read the boot time from " + STATISTICS, e);
    }
    throw new BlkSnapException(Errno.ENODATA, STATISTICS + " does not tell the boot time");
  }

  static UUID read(Path source) throws BlkSnapException {
    String text;
    try {
      text = Files.readString(source).strip();
    } catch (IOException e) {
      throw new BlkSnapException(Errno.ENOENT, "cannot read the boot id from " + source, e);
    }
    try {
      return UUID.fromString(text);
    } catch (IllegalArgumentException e) {
      throw new BlkSnapException(Errno.EINVAL, source + " holds no boot id but " + text, e);
    }
  }
}
