package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Commands;
import blksnap.testing.Seeds;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A file system on a device, in use when the snapshot is taken, and mounted again from the image.
 */
@Timeout(240)
final class FileSystemIT {
  private static final int MIB = 1 << 20;
  private static final int FILES = 40;

  @TempDir private Path directory;

  private final Seeds seeds = Seeds.ofRun();
  private final AtomicBoolean stop = new AtomicBoolean();

  @Test
  void anImageHoldsTheFileSystemOfTheMomentItWasTaken() throws Exception {
    NbdMount.require();
    Lab.need("mkfs.ext4", "e2fsck", "fstrim", "mount", "umount", "sha256sum");
    try (var lab = new Lab(directory)) {
      lab.load();
      Path disk = lab.sparse("vm1.img", 128L * MIB);
      lab.ok("attach", disk.toString(), "--name", "vm1");
      try (NbdMount original = NbdMount.attach(lab, "vm1", lab.path("fuse"), false)) {
        Commands.run("mkfs.ext4", "-q", original.device().toString());
        Path files = lab.path("files");
        try (Mounted first = Mounted.mount(original.device(), files)) {
          fill(first.at());
        }
        try (Mounted mounted = Mounted.mount(original.device(), files);
            ExecutorService threads = Executors.newSingleThreadExecutor()) {
          Future<Integer> writer = threads.submit(() -> keepWriting(mounted.at()));
          try {
            whileWritten(lab, mounted.at());
          } finally {
            stop.set(true);
            assertThat(writer.get()).as("files written beside, %s", seeds).isPositive();
          }
          Files.writeString(Path.of("/proc/sys/vm/drop_caches"), "3");
          verify(mounted.at());
          lab.ok("snapshot", "destroy", "s");
          verify(mounted.at());
          assertThat(mounted.at().resolve("only-in-the-image")).doesNotExist();
        }
        Commands.run("e2fsck", "-fn", original.device().toString());
        trims(original.device(), files, disk);
      }
      lab.unload();
    }
  }

  /** Random files of random sizes, and the list of their hashes, which an image carries too. */
  private void fill(Path at) throws IOException {
    Random random = seeds.random();
    Files.createDirectory(at.resolve("before"));
    Files.createDirectory(at.resolve("beside"));
    for (int i = 0; i < FILES; i++) {
      byte[] content = new byte[1 + random.nextInt(MIB)];
      random.nextBytes(content);
      Files.write(at.resolve("before/" + i), content);
    }
    Commands.run("sh", "-c", "cd '" + at + "' && sha256sum before/* >hashes");
    Commands.run("sync", "--file-system", at.toString());
  }

  private static void verify(Path at) throws IOException {
    assertThat(Files.readAllLines(at.resolve("hashes"))).hasSize(FILES);
    Commands.run("sh", "-c", "cd '" + at + "' && sha256sum --check --quiet hashes");
  }

  /** Writes, overwrites and deletes other files than those with hashes. */
  private int keepWriting(Path at) throws IOException {
    Random random = seeds.random(1);
    int written = 0;
    while (!stop.get()) {
      byte[] content = new byte[1 + random.nextInt(MIB / 2)];
      random.nextBytes(content);
      Path file = at.resolve("beside/" + random.nextInt(30));
      if (random.nextInt(4) == 0) {
        Files.deleteIfExists(file);
      } else {
        Files.write(file, content);
        written++;
      }
      if (written % 8 == 0) {
        Commands.run("sync", "--file-system", at.toString());
      }
    }
    return written;
  }

  private void whileWritten(Lab lab, Path files) throws Exception {
    Path beside = files.resolve("beside");
    Lab.until("the writer writes", () -> beside.toFile().list().length > 5);
    lab.ok("snapshot", "create", "vm1", "--storage", directory.toString(), "--name", "s", "--take");
    Files.delete(files.resolve("before/0"));
    Files.writeString(files.resolve("before/1"), "overwritten after the take");
    Commands.run("sync", "--file-system", files.toString());
    Files.writeString(Path.of("/proc/sys/vm/drop_caches"), "3");

    try (NbdMount image = NbdMount.attach(lab, "vm1@s", lab.path("fuse-ro"), true);
        Mounted mounted = Mounted.mount(image.device(), lab.path("files-ro"), "-o", "ro,noload")) {
      verify(mounted.at());
    }
    try (NbdMount image = NbdMount.attach(lab, "vm1@s", lab.path("fuse-rw"), false)) {
      try (Mounted mounted = Mounted.mount(image.device(), lab.path("files-rw"))) {
        verify(mounted.at());
        Files.writeString(mounted.at().resolve("only-in-the-image"), "written to the image");
      }
      Commands.run("e2fsck", "-fn", image.device().toString());
      Files.writeString(Path.of("/proc/sys/vm/drop_caches"), "3");
      try (Mounted again = Mounted.mount(image.device(), lab.path("files-again"), "-o", "ro")) {
        verify(again.at());
        assertThat(again.at().resolve("only-in-the-image")).hasContent("written to the image");
      }
    }
    Files.write(files.resolve("before/0"), new byte[0]);
    restore(lab, files);
  }

  /** Brings the two files back from the image, as a user would. */
  private static void restore(Lab lab, Path files) throws IOException {
    try (NbdMount image = NbdMount.attach(lab, "vm1@s", lab.path("fuse-restore"), true);
        Mounted mounted = Mounted.mount(image.device(), lab.path("files-restore"), "-o", "ro")) {
      for (String name : List.of("before/0", "before/1")) {
        Files.write(files.resolve(name), Files.readAllBytes(mounted.at().resolve(name)));
      }
    }
  }

  private static void trims(Path device, Path at, Path disk) throws IOException {
    long before = Lab.allocated(disk);
    try (Mounted mounted = Mounted.mount(device, at)) {
      for (int i = 0; i < FILES; i++) {
        Files.delete(mounted.at().resolve("before/" + i));
      }
      Commands.run("sync", "--file-system", at.toString());
      Commands.run("fstrim", at.toString());
    }
    assertThat(Lab.allocated(disk)).isLessThan(before - 10L * MIB);
  }
}
