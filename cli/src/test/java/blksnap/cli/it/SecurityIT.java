package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import blksnap.linux.Processes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who may reach a daemon, and what others can see of it. */
@Timeout(180)
final class SecurityIT {
  private static final int MIB = 1 << 20;
  private static final String NOBODY = "65534";

  /** Says what the one who listens there says before anything is sent, and who asked. */
  private static final String PROBE =
      """
      import java.net.UnixDomainSocketAddress;
      import java.nio.ByteBuffer;
      import java.nio.channels.SocketChannel;
      import java.nio.charset.StandardCharsets;

      class Probe {
        public static void main(String[] args) throws Exception {
          System.out.println("process " + ProcessHandle.current().pid());
          try (var channel = SocketChannel.open(UnixDomainSocketAddress.of(args[0]))) {
            var answer = ByteBuffer.allocate(1000);
            if (channel.read(answer) < 0) {
              System.out.println("hung up");
            } else {
              System.out.println(new String(answer.array(), StandardCharsets.ISO_8859_1).strip());
            }
          } catch (java.io.IOException e) {
            System.out.println("failed: " + e.getMessage());
          }
        }
      }
      """;

  @TempDir private Path directory;
  private Lab lab;

  @BeforeEach
  void make() {
    lab = new Lab(directory);
  }

  @AfterEach
  void end() {
    lab.close();
  }

  private static List<Path> below(Path... roots) throws IOException {
    var all = new ArrayList<Path>();
    for (Path root : roots) {
      try (var entries = Files.walk(root)) {
        entries.forEach(all::add);
      }
    }
    return all;
  }

  private static String permissions(Path path) throws IOException {
    return PosixFilePermissions.toString(
        Files.getPosixFilePermissions(path, LinkOption.NOFOLLOW_LINKS));
  }

  @ParameterizedTest
  @ValueSource(strings = {"000", "022", "777"})
  void isPrivateWhateverTheUmask(String umask) throws Exception {
    lab.loadWithUmask(umask);
    Path storage = Files.createDirectory(lab.path("storage"));
    lab.ok("attach", lab.disk("vm1.img", MIB).toString(), "--name", "vm1");
    String[] create = {"snapshot", "create", "vm1", "--storage", storage.toString(), "--take"};
    lab.ok(create);
    try (NbdSession session = NbdSession.open(lab.nbdSocket(), "vm1")) {
      session.write(0, new byte[4 * Lab.BLOCK]);
    }
    List<Path> all = below(lab.run(), lab.state(), storage);
    all.remove(storage);
    assertThat(all)
        .contains(
            lab.run().resolve("ctrl.sock"),
            lab.run().resolve("nbd.sock"),
            lab.run().resolve("pid"),
            lab.run().resolve("daemon.log"),
            lab.state().resolve("devices/vm1/cbt"))
        .anyMatch(path -> path.startsWith(storage));
    for (Path path : all) {
      assertThat(permissions(path))
          .as("%s", path)
          .isEqualTo(Files.isDirectory(path) ? "rwx------" : "rw-------");
    }
    for (String snapshot : lab.ok("snapshot", "list", "-o", "plain").lines().toList()) {
      lab.ok("snapshot", "destroy", snapshot.split("\t", -1)[0]);
    }
    lab.unload();
  }

  private String probeAs(String user, Path socket) throws Exception {
    Path probe = directory.resolve("Probe.java");
    Files.writeString(probe, PROBE);
    return lab.program(
        "setpriv",
        "--reuid=" + user,
        "--regid=" + user,
        "--clear-groups",
        Lab.java(),
        probe.toString(),
        socket.toString());
  }

  private static void open(Path path, String permissions) throws IOException {
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(permissions));
  }

  @Test
  void refusesAnotherUserByItsNumberAndSaysWhoItWas() throws Exception {
    assumeTrue(Processes.effectiveUser() == 0, "only root can act as another user");
    Lab.need("setpriv");
    lab.load();
    open(directory, "rwxr-xr-x");
    Path ctrl = lab.run().resolve("ctrl.sock");
    assertThat(probeAs(NOBODY, ctrl)).contains("failed: ");
    assertThat(probeAs(NOBODY, lab.nbdSocket())).contains("failed: ");

    open(lab.run(), "rwxr-xr-x"); // somebody opened what is ours: the sockets still know
    open(ctrl, "rw-rw-rw-");
    open(lab.nbdSocket(), "rw-rw-rw-");
    String answer = probeAs(NOBODY, ctrl);
    assertThat(answer).contains("\"errno\":\"EPERM\"", "uid " + NOBODY);
    assertThat(lab.ok("dmesg")).contains("(uid " + NOBODY + ", pid " + process(answer) + ")");
    String silence = probeAs(NOBODY, lab.nbdSocket());
    assertThat(silence).contains("hung up");
    assertThat(lab.ok("dmesg")).contains("(uid " + NOBODY + ", pid " + process(silence) + ")");
    assertThat(probeAs("0", lab.nbdSocket())).contains("NBDMAGIC");

    lab.ok("attach", lab.disk("vm1.img", MIB).toString(), "--name", "vm1");
    try (NbdSession session = NbdSession.open(lab.nbdSocket(), "vm1")) {
      assertThat(session.sizeBytes()).isEqualTo(MIB);
      String busy = lab.refused("detach", "vm1");
      assertThat(busy).contains("uid 0, pid " + ProcessHandle.current().pid());
    }
    lab.detachWhenUnused("vm1");
    lab.unload();
  }

  private static String process(String answer) {
    return answer.lines().findFirst().orElseThrow().replace("process ", "");
  }

  @Test
  void followsNoLinkInTheRunDirectory() throws Exception {
    lab.load();
    lab.unload();
    Path victim = Files.writeString(lab.path("victim"), "precious");
    for (String name : List.of("daemon.log", "pid", "lock", "ctrl.sock", "nbd.sock")) {
      Path place = lab.run().resolve(name);
      Files.deleteIfExists(place);
      Files.createSymbolicLink(place, victim);
      try (Background load = lab.launch()) {
        assertThat(load.await()).as(name).isEqualTo(1);
        assertThat(load.output()).contains(place.toString(), "a symbolic link", "(EINVAL)");
      }
      assertThat(victim).hasContent("precious");
      Files.delete(place);
    }
    lab.load();
    lab.unload();
  }
}
