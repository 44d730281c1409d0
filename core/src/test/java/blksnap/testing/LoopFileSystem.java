package blksnap.testing;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** An ext4 file system on a loop device, mounted for one test. Closing it unmounts it. */
public final class LoopFileSystem implements Closeable {
  private final LoopDevice device;
  private final Path path;

  private LoopFileSystem(LoopDevice device, Path path) {
    this.device = device;
    this.path = path;
  }

  /** Skips the test, or fails it, where this cannot be done. */
  public static void require() {
    LoopDevice.require();
    RealClients.require(
        Commands.works("mkfs.ext4", "-V") && Commands.works("mount", "--version"),
        "mkfs.ext4 or mount is not installed");
  }

  /** Mounts a new one at {@code path}, whose disk is the file beside it. */
  public static LoopFileSystem mount(Path path, int mebibytes, String... options)
      throws IOException {
    Path disk = path.resolveSibling(path.getFileName() + ".disk");
    Commands.run("truncate", "--size=" + mebibytes + "M", disk.toString());
    Commands.run("mkfs.ext4", "-q", "-F", "-b", "4096", disk.toString());
    LoopDevice device = LoopDevice.attach(disk, 512);
    boolean mounted = false;
    try {
      Files.createDirectories(path);
      String all = options.length == 0 ? "defaults" : String.join(",", options);
      Commands.run("mount", "-t", "ext4", "-o", all, device.path().toString(), path.toString());
      mounted = true;
      return new LoopFileSystem(device, path);
    } finally {
      if (!mounted) {
        device.close();
      }
    }
  }

  public Path path() {
    return path;
  }

  /** The block device below it. */
  public Path device() {
    return device.path();
  }

  @Override
  public void close() throws IOException {
    try {
      Commands.run("umount", path.toString());
    } finally {
      device.close();
    }
  }
}
