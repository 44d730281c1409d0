package blksnap.cli.it;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.UUID;

/**
 * A machine between two power cuts: a file system that holds the state directory, diff storage and
 * one disk, a second disk of its own, and a boot id. Each time the paths are the same. Closing it
 * pulls the plug.
 */
final class PowerScene implements Closeable {
  /** Where the file system is mounted, below the directory of the test. */
  static final String FILES = "files";

  /** A link to the second disk, as udev makes them: device numbers change from boot to boot. */
  static final String SECOND = "second";

  private static final String BOOT_ID = "/proc/sys/kernel/random/boot_id";
  private static final String STATISTICS = "/proc/stat";

  private static final int COUNTERS = 17; // of a disk, in its stat

  private static final String[] PARAMETERS = {
    "tracking_block_minimum_shift=12", "chunk_minimum_shift=14", "diff_storage_minimum=2048"
  };

  private final Deque<Closeable> open = new ArrayDeque<>();
  private final Path directory;
  private final Lab lab;

  /** Starts the machine's daemon too. */
  PowerScene(Path directory, String name, Path fileSystem, Path second) throws IOException {
    this.directory = directory;
    Path own = Files.createDirectory(directory.resolve(name));
    this.lab =
        new Lab(
            own,
            directory.resolve(FILES).resolve("state"),
            List.of(
                "unshare",
                "--mount",
                "sh",
                "-c",
                "mount --bind \"$0\" "
                    + BOOT_ID
                    + " && mount --bind \"$1\" "
                    + STATISTICS
                    + " && mount --bind \"$2\" /sys/block/"
                    + second.getFileName()
                    + " && shift 2 && exec \"$@\"",
                Files.writeString(own.resolve("boot_id"), UUID.randomUUID() + "\n").toString(),
                Files.writeString(own.resolve("stat"), statistics()).toString(),
                disk(own.resolve("disk")).toString()));
    boolean started = false;
    try {
      open.push(Mounted.mount(fileSystem, directory.resolve(FILES), "-o", "noatime"));
      Path link = Files.createSymbolicLink(own.resolve("link"), second);
      Files.move(link, directory.resolve(SECOND), StandardCopyOption.REPLACE_EXISTING);
      open.push(lab);
      open.push(lab.loadInForeground(PARAMETERS));
      started = true;
    } finally {
      if (!started) {
        close();
      }
    }
  }

  /**
   * What sysfs tells of the second disk: that it has a serial, by which it is known whatever its
   * number is, and that nothing was written to it since the machine was booted.
   */
  private static Path disk(Path sysfs) throws IOException {
    Files.createDirectories(sysfs.resolve("queue"));
    Files.writeString(sysfs.resolve("queue/iostats"), "1\n");
    Files.writeString(sysfs.resolve("wwid"), "the second disk\n");
    Files.writeString(sysfs.resolve("diskseq"), "1\n");
    Files.writeString(sysfs.resolve("stat"), "0 ".repeat(COUNTERS) + "\n");
    return sysfs;
  }

  /** As they are, but that the machine was booted just now: what is on its disks is older. */
  private static String statistics() throws IOException {
    long second = System.currentTimeMillis() / 1_000 + 1;
    return Files.readString(Path.of(STATISTICS)).replaceFirst("(?m)^btime .*$", "btime " + second);
  }

  Lab lab() {
    return lab;
  }

  Path file(String name) {
    return directory.resolve(FILES).resolve(name);
  }

  Path second() {
    return directory.resolve(SECOND);
  }

  @Override
  public void close() throws IOException {
    IOException failure = null;
    while (!open.isEmpty()) {
      try {
        open.pop().close();
      } catch (IOException e) {
        failure = e;
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
