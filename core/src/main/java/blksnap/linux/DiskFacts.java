package blksnap.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * What the kernel tells of a block device under {@code /sys/dev/block}.
 *
 * @param serial what stays the same wherever and whenever the device appears; empty when it has
 *     nothing of the kind
 * @param instance number of this appearance of the device, unique until the machine restarts; 0
 *     when the kernel does not tell
 * @param sectorsWritten sectors of 512 bytes written since it appeared; -1 when they are not
 *     counted
 * @param indirect whether it stands for something that can change without it: a loop device, a
 *     network block device
 */
public record DiskFacts(String serial, long instance, long sectorsWritten, boolean indirect) {
  /** Of what is no block device. */
  public static final DiskFacts NONE = new DiskFacts("", 0, -1, false);

  private static final Path ALL = Path.of("/sys/dev/block");
  private static final int SECTORS_WRITTEN_FIELD = 6;
  private static final long LOOP_MAJOR = 7;
  private static final long NBD_MAJOR = 43;

  /** Where a disk keeps its serial, the surest first; of a partition, its disk. */
  private static final List<String> SERIALS =
      List.of("dm/uuid", "wwid", "device/wwid", "serial", "device/serial", "md/uuid");

  /**
   * Asks the kernel.
   *
   * @param rdevice the number of the device, as {@link FileStatus#rdevice}; 0 for a file
   */
  public static DiskFacts of(long rdevice) {
    if (rdevice == 0) {
      return NONE;
    }
    long major = (rdevice >>> 32 & 0xffff_f000L) | (rdevice >>> 8 & 0xfffL);
    long minor = (rdevice >>> 12 & 0xffff_ff00L) | (rdevice & 0xffL);
    return of(ALL.resolve(major + ":" + minor), major == LOOP_MAJOR || major == NBD_MAJOR);
  }

  static DiskFacts of(Path device, boolean indirect) {
    String part = text(device.resolve("partition"));
    Path disk = part.isEmpty() ? device : device.resolve("..");
    String serial = "";
    for (String place : SERIALS) {
      String found = text(disk.resolve(place));
      if (!found.isEmpty()) {
        serial = place + " " + found + (part.isEmpty() ? "" : " partition " + part);
        break;
      }
    }
    boolean counted = !text(disk.resolve("queue/iostats")).equals("0");
    String[] counters = text(device.resolve("stat")).split("\\s+", -1);
    return new DiskFacts(
        serial,
        number(text(disk.resolve("diskseq")), 0),
        counted && counters.length > SECTORS_WRITTEN_FIELD
            ? number(counters[SECTORS_WRITTEN_FIELD], -1)
            : -1,
        indirect);
  }

  /** The content of a file of sysfs; empty when it is not there. */
  private static String text(Path file) {
    try {
      return Files.readString(file).strip();
    } catch (IOException e) {
      return "";
    }
  }

  private static long number(String text, long otherwise) {
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException e) {
      return otherwise;
    }
  }
}
