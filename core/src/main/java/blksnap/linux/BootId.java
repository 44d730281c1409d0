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

  private BootId() {}

  public static UUID read() throws BlkSnapException {
    return read(SOURCE);
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
