package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.nbd.NbdTls.Grant;
import blksnap.nbd.NbdTls.Mode;
import blksnap.testing.Bytes;
import blksnap.testing.Commands;
import blksnap.testing.MemoryDevice;
import blksnap.testing.RealClients;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The clients people use, over TLS with certificates. */
@Timeout(120)
class NbdTlsClientsIT {
  private static final int SIZE = 4 << 20;

  @TempDir private static Path directory;

  private static TestCertificates certificates;

  private final MemoryDevice disk = MemoryDevice.ofSize(SIZE);
  private final MemoryDevice other = MemoryDevice.ofSize(SIZE);
  private NbdTestServer server;

  @BeforeAll
  static void makeCertificates() throws Exception {
    certificates = TestCertificates.make(directory); // of RSA: GnuTLS cannot read Java's EC keys
  }

  @BeforeEach
  void start() throws Exception {
    disk.set(1 << 20, Bytes.pattern(1, 0, 1 << 20));
    var tls =
        new NbdTls(
            Mode.REQUIRED,
            Optional.of(certificates.serverDirectory()),
            List.of(new Grant("alice", "*", false), new Grant("bob", "disk", true)));
    server =
        new NbdTestServer(
                NbdLimits.DEFAULT, tls, new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .with("disk", disk)
            .with("other", other);
  }

  @AfterEach
  void close() throws IOException {
    server.close();
  }

  private int port() {
    return server.server().tcpAddress().orElseThrow().getPort();
  }

  private String uri(String client, String export) throws Exception {
    return "nbds://localhost:"
        + port()
        + "/"
        + export
        + "?tls-certificates="
        + certificates.clientDirectory(client);
  }

  @Test
  void nbdinfoAndNbdcopySpeakTls() throws Exception {
    RealClients.require(Commands.works("nbdinfo", "--version"), "nbdinfo is not installed");
    assertThat(Commands.run("nbdinfo", uri("alice", "disk")))
        .contains("with TLS")
        .contains("is_read_only: false");
    Path copy = directory.resolve("nbdcopy.img");
    Commands.run("nbdcopy", uri("bob", "disk"), copy.toString());
    assertThat(copy).hasBinaryContent(disk.content());
    Commands.run("nbdcopy", copy.toString(), uri("alice", "other"));
    assertThat(other.content()).isEqualTo(disk.content());
  }

  @Test
  void nbdinfoSeesWhatItsCertificateIsGranted() throws Exception {
    RealClients.require(Commands.works("nbdinfo", "--version"), "nbdinfo is not installed");
    assertThat(Commands.run("nbdinfo", uri("bob", "disk"))).contains("is_read_only: true");
    assertThat(Commands.run("nbdinfo", "--list", uri("bob", ""))).doesNotContain("other");
    String notForBob = uri("bob", "other");
    assertThatExceptionOfType(IOException.class)
        .isThrownBy(() -> Commands.run("nbdinfo", notForBob));
  }

  @Test
  void nbdinfoIsRefusedWithoutTlsOrWithAnothersCertificate() throws Exception {
    RealClients.require(Commands.works("nbdinfo", "--version"), "nbdinfo is not installed");
    assertThatExceptionOfType(IOException.class)
        .isThrownBy(() -> Commands.run("nbdinfo", "nbd://localhost:" + port() + "/disk"));
    for (String alias : new String[] {"mallory", "expired"}) {
      String uri = uri(alias, "disk");
      assertThatExceptionOfType(IOException.class).isThrownBy(() -> Commands.run("nbdinfo", uri));
    }
  }

  @Test
  void qemuImgSpeaksTls() throws Exception {
    RealClients.require(Commands.works("qemu-img", "--version"), "qemu-img is not installed");
    String object =
        "tls-creds-x509,id=tls0,endpoint=client,dir=" + certificates.clientDirectory("alice");
    String options =
        "driver=raw,file.driver=nbd,file.host=localhost,file.port="
            + port()
            + ",file.export=disk,file.tls-creds=tls0";
    assertThat(Commands.run("qemu-img", "info", "--object", object, "--image-opts", options))
        .contains("4 MiB");
    Path copy = directory.resolve("copy.img");
    Commands.run(
        "qemu-img", "convert", "--object", object, "--image-opts", options, copy.toString());
    assertThat(copy).hasBinaryContent(disk.content());
  }
}
