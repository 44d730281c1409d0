package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.linux.DeadFileSystem;
import blksnap.testing.Commands;
import blksnap.testing.LoopFileSystem;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Backups whose target goes away while they are made. */
@Timeout(240)
final class BackupTargetIT {
  private static final int MIB = 1 << 20;
  private static final int SIZE = 16 * MIB;

  @TempDir private Path directory;

  private Lab lab;

  @BeforeEach
  void make() throws Exception {
    LoopFileSystem.require();
    lab = new Lab(directory);
    lab.load();
    lab.ok("attach", lab.disk("vm1.img", SIZE).toString(), "--name", "vm1");
  }

  @AfterEach
  void end() {
    lab.close();
  }

  private String[] backup(Path to, String... more) {
    return Stream.concat(
            Stream.of("backup", "vm1", "--to", to.toString(), "--storage", directory.toString()),
            Stream.of(more))
        .toArray(String[]::new);
  }

  /** What happens to the target. */
  @FunctionalInterface
  private interface Loss {
    void happen(Path mountPoint) throws IOException;
  }

  private static boolean copies(Path to) throws IOException {
    if (!Files.isDirectory(to.resolve("vm1"))) {
      return false;
    }
    try (Stream<Path> all = Files.list(to.resolve("vm1"))) {
      return all.anyMatch(path -> path.toString().endsWith(".qcow2.part"));
    }
  }

  /** What is said of a backup that loses its target while it copies. */
  private String failure(Path target, Loss loss) throws Exception {
    String[] words =
        Stream.concat(
                Stream.of(Lab.launcher()),
                Stream.of(backup(target, "--limit-rate", "8M", "--full")))
            .toArray(String[]::new);
    try (Background backup = lab.start(lab.variables(), words)) {
      Lab.until("it copies", () -> copies(target) || !backup.isAlive());
      loss.happen(target);
      assertThat(backup.await()).as(backup.output()).isEqualTo(1);
      assertThat(lab.ok("snapshot", "list", "-o", "plain")).isEmpty();
      return backup.output();
    }
  }

  @Test
  void aTargetThatFailsLosesNothingButThisOne() throws Exception {
    Path disk = lab.path("small.disk");
    Path kept = lab.path("kept");
    try (LoopFileSystem small = LoopFileSystem.mount(lab.path("small"), 64)) {
      lab.ok(backup(small.path()));
      Commands.run("sync", "--file-system", small.path().toString());
      String said = failure(small.path(), DeadFileSystem::kill);
      assertThat(said).startsWith("blksnap: ").contains(small.path().toString(), "(EIO)");
      assertThat(said).hasLineCount(1);
    }
    Commands.run("mkdir", kept.toString());
    Commands.run("mount", "-o", "loop", disk.toString(), kept.toString());
    try {
      assertThat(lab.ok("backups", kept.toString(), "-o", "plain").lines()).hasSize(1);
      lab.ok(backup(kept));
      assertThat(copies(kept)).isFalse();
      assertThat(lab.ok("backups", kept.toString(), "-o", "plain").lines().toList().getLast())
          .contains("increment");
      lab.ok("verify", kept.toString());
    } finally {
      Commands.run("umount", kept.toString());
    }
  }

  @Test
  void aTargetThatIsUnmountedIsNamed() throws Exception {
    try (LoopFileSystem small = LoopFileSystem.mount(lab.path("small"), 64)) {
      String said =
          failure(small.path(), path -> Commands.run("umount", "--lazy", path.toString()));
      assertThat(said)
          .startsWith("blksnap: " + small.path() + "/vm1/")
          .endsWith(" is gone: what holds it was unmounted, moved or removed meanwhile (ENOENT)\n")
          .hasLineCount(1);
      assertThat(lab.ok("backups", small.path().toString(), "-o", "plain")).isEmpty();
      Commands.run("mount", small.device().toString(), small.path().toString());
      assertThat(lab.ok("backups", small.path().toString(), "-o", "plain")).isEmpty();
      lab.ok(backup(small.path()));
    }
  }
}
