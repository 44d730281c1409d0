package blksnap.cli.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.nbd.TestCertificates;
import blksnap.testing.Commands;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An engine that is told by its options who may use what over TLS, and libnbd's clients. */
@Timeout(300)
final class TlsIT {
  private static final int SIZE = 1 << 20;

  @TempDir private Path directory;

  @SuppressWarnings("NullAway.Init") // before each test
  private TestCertificates certificates;

  @SuppressWarnings("NullAway.Init") // before each test
  private Lab lab;

  @BeforeEach
  void prepare() throws Exception {
    Lab.need("nbdinfo", "nbdcopy");
    certificates = TestCertificates.make(directory);
    lab = new Lab(directory);
  }

  @AfterEach
  void end() {
    if (lab != null) {
      lab.close();
    }
  }

  /** The export as this client asks for it, over TCP. */
  private String uri(String client, String export) throws Exception {
    return "nbds://"
        + lab.ok("cat", "/sys/class/blksnap/nbd_tcp").replace("127.0.0.1", "localhost")
        + "/"
        + export
        + "?tls-certificates="
        + certificates.clientDirectory(client);
  }

  private static void assertRefused(String uri) {
    assertThatExceptionOfType(IOException.class)
        .as(uri)
        .isThrownBy(() -> Commands.run("nbdinfo", uri));
  }

  @Test
  void servesWhoShowsTheRightCertificateAndNobodyElse() throws Exception {
    lab.load(
        "--listen",
        "tcp:127.0.0.1:0",
        "--tls",
        "required",
        "--tls-certificates",
        certificates.serverDirectory().toString(),
        "--tls-allow",
        "alice=vm1,vm1@s:ro",
        "--tls-allow",
        "bob=*@*:ro");
    Path disk = lab.disk("vm1.img", SIZE);
    byte[] before = Files.readAllBytes(disk);
    lab.ok("attach", disk.toString(), "--name", "vm1");
    lab.ok("snapshot", "create", "vm1", "--storage", directory.toString(), "--name", "s", "--take");

    assertThat(lab.program("nbdinfo", uri("alice", "vm1")))
        .contains("with TLS")
        .contains("is_read_only: false");
    Path fresh = lab.disk("fresh.img", SIZE);
    lab.program("nbdcopy", "--flush", fresh.toString(), uri("alice", "vm1"));
    assertThat(disk).hasSameBinaryContentAs(fresh);
    assertThat(lab.program("nbdinfo", uri("bob", "vm1@s"))).contains("is_read_only: true");
    Path copy = lab.path("copy.img");
    lab.program("nbdcopy", uri("bob", "vm1@s"), copy.toString());
    assertThat(copy).hasBinaryContent(before);
    lab.program("nbdcopy", uri("alice", "vm1"), copy.toString());
    assertThat(copy).hasSameBinaryContentAs(fresh);

    assertRefused(uri("bob", "vm1"));
    assertRefused(uri("mallory", "vm1"));
    assertRefused(uri("expired", "vm1"));
    assertRefused(uri("alice", "vm1").replace("nbds://", "nbd://").replaceAll("\\?.*", ""));
    assertThat(lab.content("vm1@s")).isEqualTo(before); // without TLS, by the engine's own socket
  }
}
