package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Real clients that are killed in the middle of their work leave nothing behind in the daemon. */
@Timeout(300)
final class VanishIT {
  private static final int MIB = 1 << 20;
  private static final int SIZE = 64 * MIB;
  private static final int ROUNDS = 3;

  @TempDir private Path directory;
  private Lab lab;

  @BeforeEach
  void load() throws Exception {
    Lab.need("fio", "nbdcopy", "qemu-io");
    lab = new Lab(directory);
    lab.load();
    lab.ok("attach", lab.sparse("vm1.img", SIZE).toString(), "--name", "vm1");
  }

  @AfterEach
  void end() {
    if (lab != null) {
      lab.close();
    }
  }

  private long entries(String what) throws IOException {
    try (var entries = Files.list(Path.of("/proc/" + lab.daemon().pid() + "/" + what))) {
      return entries.count();
    }
  }

  /** A take, and all it needs, goes on beside them. */
  private void assertOthersGoOn(int round) throws IOException {
    Path storage = lab.path("storage-" + round);
    String name = "s" + round;
    lab.ok("snapshot", "create", "vm1", "--storage", storage.toString(), "--name", name, "--take");
    try (NbdSession session = NbdSession.open(lab.nbdSocket(), "vm1@" + name)) {
      assertThat(session.read(0, Lab.BLOCK)).hasSize(Lab.BLOCK);
    }
    Lab.until("no client has it", () -> lab.command("snapshot", "destroy", name).code() == 0);
  }

  @Test
  void releasesWhatKilledProgramsHeld() throws Exception {
    assertOthersGoOn(0); // so that what is loaded and opened once is there
    long descriptors = entries("fd");
    long threads = entries("task");
    String uri = lab.uri("vm1");
    for (int round = 1; round <= ROUNDS; round++) {
      List<Background> clients = new ArrayList<>();
      try {
        clients.add(
            lab.start(
                "fio",
                "--name=w",
                "--ioengine=nbd",
                "--uri=" + uri,
                "--rw=randwrite",
                "--bs=256k",
                "--iodepth=32",
                "--size=" + SIZE,
                "--time_based",
                "--runtime=600"));
        clients.add(
            lab.start(
                "sh",
                "-c",
                "while :; do nbdcopy --connections=4 '" + uri + "' null: || exit; done"));
        clients.add(
            lab.start(
                "sh",
                "-c",
                "while :; do qemu-io -f raw -c 'write -P 7 0 8M' '" + uri + "' || exit; done"));
        for (int i = 0; i < 20; i++) {
          String before = lab.ok("cat", "/sys/block/vm1/stat");
          Lab.until("they are at work", () -> !lab.ok("cat", "/sys/block/vm1/stat").equals(before));
        }
        assertOthersGoOn(round);
      } finally {
        clients.forEach(VanishIT::killAll);
      }
      lab.detachWhenUnused("vm1");
      Lab.until("their descriptors are closed", () -> entries("fd") < descriptors + 4);
      Lab.until("their threads are gone", () -> entries("task") <= threads + 8);
      lab.ok("attach", lab.path("vm1.img").toString(), "--name", "vm1");
    }
    lab.unload();
  }

  /** SIGKILL to the program and all it started. */
  private static void killAll(Background client) {
    ProcessHandle.of(client.pid())
        .ifPresent(process -> {
          List<ProcessHandle> children = process.descendants().toList();
          process.destroyForcibly();
          children.forEach(ProcessHandle::destroyForcibly);
          children.forEach(child -> child.onExit().join());
        });
    client.close();
  }
}
