package blksnap.cli.it;

import blksnap.testing.Commands;
import blksnap.testing.LoopDevice;
import blksnap.testing.RealClients;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A block device over an export, by nbdfuse and losetup. Closing it undoes both. */
final class NbdMount implements Closeable {
  private final Path directory;
  private final Background fuse;
  private final LoopDevice loop;

  private NbdMount(Path directory, Background fuse, LoopDevice loop) {
    this.directory = directory;
    this.fuse = fuse;
    this.loop = loop;
  }

  /** Skips the test, or fails it, where this cannot be done. */
  static void require() {
    LoopDevice.require();
    Lab.need("nbdfuse", "setsid", "fusermount3");
    RealClients.require(Files.isWritable(Path.of("/dev/fuse")), "/dev/fuse is not writable");
  }

  /**
   * @param directory made here
   * @param readOnly so that not even a journal is replayed
   */
  static NbdMount attach(Lab lab, String export, Path directory, boolean readOnly)
      throws IOException {
    return attachUri(lab, lab.uri(export), directory, readOnly);
  }

  /** Of any server. */
  static NbdMount attachUri(Lab lab, String uri, Path directory, boolean readOnly)
      throws IOException {
    Files.createDirectory(directory);
    Path disk = directory.resolve("disk");
    Background fuse =
        readOnly
            ? lab.start("setsid", "nbdfuse", "-r", disk.toString(), uri)
            : lab.start("setsid", "nbdfuse", disk.toString(), uri);
    boolean attached = false;
    try {
      Lab.until(
          "nbdfuse serves " + uri,
          () -> {
            if (!fuse.isAlive()) {
              throw new IOException("nbdfuse ended: " + fuse.output());
            }
            return Files.exists(disk);
          });
      LoopDevice loop =
          readOnly
              ? LoopDevice.attach(disk, 512, "--direct-io=on", "--read-only")
              : LoopDevice.attach(disk, 512, "--direct-io=on");
      attached = true;
      return new NbdMount(directory, fuse, loop);
    } finally {
      if (!attached) {
        release(directory, fuse);
      }
    }
  }

  Path device() {
    return loop.path();
  }

  @Override
  public void close() throws IOException {
    try {
      loop.close();
    } finally {
      release(directory, fuse);
    }
  }

  private static void release(Path directory, Background fuse) throws IOException {
    try {
      // A loop device lets go of its file a moment after it was detached.
      Lab.until(
          "nbdfuse is unmounted",
          () -> Commands.works("fusermount3", "-u", directory.toString()) || !fuse.isAlive());
      Lab.until("nbdfuse has ended", () -> !fuse.isAlive());
    } finally {
      fuse.close();
    }
  }
}
