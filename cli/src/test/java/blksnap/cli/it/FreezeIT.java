package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.Commands;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A file system on a device rests while a snapshot is taken, so that its image is clean. */
@Timeout(240)
final class FreezeIT {
  private static final long SIZE = 64L << 20;

  @TempDir private Path directory;

  private final AtomicBoolean stop = new AtomicBoolean();

  /** Whether the journal would have to be replayed. */
  private static boolean needsRecovery(Path device) throws IOException {
    return Commands.run("dumpe2fs", "-h", device.toString()).contains("needs_recovery");
  }

  private int keepWriting(Path files) throws IOException {
    int written = 0;
    while (!stop.get()) {
      Files.write(files.resolve("file" + written % 50), new byte[1 + written % 30_000]);
      if (++written % 16 == 0) {
        Commands.run("sync", "--file-system", files.toString());
      }
    }
    return written;
  }

  @Test
  void anImageOfAFrozenFileSystemIsCleanAndOneThatWasNotFrozenIsNot() throws Exception {
    NbdMount.require();
    Lab.need("mkfs.ext4", "dumpe2fs", "e2fsck", "mount", "umount", "fsfreeze");
    try (var lab = new Lab(directory)) {
      lab.load();
      lab.ok("attach", lab.sparse("vm1.img", SIZE).toString(), "--name", "vm1");
      try (NbdMount disk = NbdMount.attach(lab, "vm1", lab.path("fuse"), false)) {
        Commands.run("mkfs.ext4", "-q", disk.device().toString());
        Path files = Files.createDirectory(lab.path("files"));
        Commands.run("mount", disk.device().toString(), files.toString());
        try (ExecutorService threads = Executors.newSingleThreadExecutor()) {
          Future<Integer> writer = threads.submit(() -> keepWriting(files));
          try {
            Lab.until("the writer writes", () -> files.toFile().list().length > 20);
            takeBoth(lab, files);
          } finally {
            stop.set(true);
            assertThat(writer.get()).isPositive();
          }
        } finally {
          Commands.run("umount", files.toString());
        }
        check(lab);
      }
      lab.ok("snapshot", "destroy", "plain");
      lab.ok("snapshot", "destroy", "frozen");
      lab.unload();
    }
  }

  private void takeBoth(Lab lab, Path files) throws IOException {
    String storage = directory.toString();
    lab.ok("snapshot", "create", "vm1", "--storage", storage, "--name", "plain", "--take");
    lab.ok("snapshot", "create", "vm1", "--storage", storage, "--name", "frozen");
    assertThat(lab.refused("snapshot", "take", "frozen", "--freeze", lab.state().toString()))
        .contains("not a mount point");
    assertThat(
            lab.ok(
                "snapshot",
                "take",
                "frozen",
                "--freeze",
                files.toString(),
                "--pre",
                "touch " + files.resolve("before"),
                "--post",
                "touch " + files.resolve("after"),
                "--freeze-timeout",
                "60",
                "-o",
                "plain"))
        .isEqualTo("filesystem-consistent\tfrozen: " + files + "; the pre command succeeded");
    Files.writeString(files.resolve("goes-on"), "as nothing is frozen any more");
    assertThat(files.resolve("after")).exists();
  }

  private static void check(Lab lab) throws IOException {
    String tree = "/sys/fs/blksnap/";
    assertThat(lab.ok("cat", tree + "plain/consistency")).isEqualTo("crash-consistent");
    assertThat(lab.ok("cat", tree + "frozen/consistency")).isEqualTo("filesystem-consistent");
    assertThat(lab.ok("snapshot", "info", "frozen", "-o", "json"))
        .contains("\"consistency\":\"filesystem-consistent\"");
    try (NbdMount image = NbdMount.attach(lab, "vm1@plain", lab.path("fuse-plain"), true)) {
      assertThat(needsRecovery(image.device())).as("as after a power cut").isTrue();
    }
    try (NbdMount image = NbdMount.attach(lab, "vm1@frozen", lab.path("fuse-frozen"), true)) {
      assertThat(needsRecovery(image.device())).isFalse();
      Commands.run("e2fsck", "-fn", image.device().toString());
      Path mounted = Files.createDirectory(lab.path("mounted"));
      Commands.run(
          "mount", "-t", "ext4", "-o", "ro,noload", image.device().toString(), mounted.toString());
      try {
        assertThat(mounted.resolve("before")).exists();
        assertThat(mounted.resolve("after")).doesNotExist();
      } finally {
        Commands.run("umount", mounted.toString());
      }
    }
  }

  @Test
  void howConsistentATakeWasOutlivesAKill() throws Exception {
    try (var lab = new Lab(directory)) {
      lab.load();
      lab.ok("attach", lab.disk("vm1.img", 1 << 20).toString(), "--name", "vm1");
      lab.ok(
          "snapshot",
          "create",
          "vm1",
          "--storage",
          directory.toString(),
          "--name",
          "s",
          "--take",
          "--pre",
          "exit 9",
          "--best-effort");
      String reason = lab.ok("cat", "/sys/fs/blksnap/s/consistency_reason");
      assertThat(reason).isEqualTo("the pre command ended with status 9");
      lab.kill();
      lab.load();
      assertThat(lab.ok("cat", "/sys/fs/blksnap/s/consistency_reason")).isEqualTo(reason);
      lab.ok("snapshot", "destroy", "s");
      lab.unload();
    }
  }

  @Test
  void anEngineThatIsToldToGoDoesNotWaitForACommand() throws Exception {
    try (var lab = new Lab(directory)) {
      lab.load();
      lab.ok("attach", lab.disk("vm1.img", 1 << 20).toString(), "--name", "vm1");
      lab.ok("snapshot", "create", "vm1", "--storage", directory.toString(), "--name", "s");
      Path begun = lab.path("begun");
      Path undone = lab.path("undone");
      try (ExecutorService threads = Executors.newSingleThreadExecutor()) {
        Future<String> take =
            threads.submit(() ->
                lab.refused(
                    "snapshot",
                    "take",
                    "s",
                    "--freeze-timeout",
                    "600",
                    "--pre",
                    "touch " + begun + "; sleep 1000",
                    "--post",
                    "touch " + undone));
        Lab.until("the command runs", () -> Files.exists(begun));
        ProcessHandle daemon = lab.daemon();
        assertThat(daemon.destroy()).isTrue();
        daemon.onExit().join();
        assertThat(take.get()).contains("engine goes");
      }
      assertThat(undone).as("what the command after made").exists();
    }
  }
}
