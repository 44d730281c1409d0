package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.nbd.NbdTestClient.OptionReply;
import blksnap.nbd.NbdTls.Grant;
import blksnap.nbd.NbdTls.Mode;
import blksnap.testing.Bytes;
import blksnap.testing.MemoryDevice;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** STARTTLS, with certificates that are right and with wrong ones, and who may use what. */
@Timeout(120)
class NbdTlsTest {
  private static final int SIZE = 40 << 20;
  private static final int ACK = 1;
  private static final int ERR_UNSUP = 0x80000001;
  private static final int ERR_POLICY = 0x80000002;
  private static final int ERR_INVALID = 0x80000003;
  private static final int ERR_TLS_REQD = 0x80000005;
  private static final int ERR_UNKNOWN = 0x80000006;

  @TempDir private static Path directory;

  private static TestCertificates certificates;
  private static Path files;

  private final MemoryDevice disk = MemoryDevice.ofSize(SIZE);

  @BeforeAll
  static void makeCertificates() throws IOException, GeneralSecurityException {
    certificates = TestCertificates.make(directory);
    files = certificates.serverDirectory();
  }

  private static InetSocketAddress loopback() {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
  }

  private NbdTestServer serve(NbdLimits limits, Mode mode, Grant... grants) throws IOException {
    return new NbdTestServer(
            limits, new NbdTls(mode, Optional.of(files), List.of(grants)), loopback())
        .with("disk", disk)
        .with("disk2", MemoryDevice.ofSize(4096))
        .with("other", MemoryDevice.ofSize(4096));
  }

  private NbdTestServer serve(Mode mode, Grant... grants) throws IOException {
    return serve(NbdLimits.DEFAULT, mode, grants);
  }

  private static NbdTestClient connect(NbdTestServer server) throws IOException {
    return NbdTestClient.connect(server.server().tcpAddress().orElseThrow()).greet();
  }

  private static SSLContext as(String alias) throws IOException, GeneralSecurityException {
    return certificates.client(alias, "ca");
  }

  @Test
  void carriesRequestsOfEverySizeAndSaysGoodbye() throws Exception {
    try (NbdTestServer server = serve(Mode.REQUIRED);
        NbdTestClient client = connect(server).startTls(as("alice")).go("disk")) {
      int offset = 1;
      for (int length : new int[] {1, 511, 4096, 16_384, 16_385, 300_001, 32 << 20}) {
        byte[] data = Bytes.pattern(length, 0, length);
        assertThat(client.write(offset, data)).isZero();
        assertThat(client.read(offset, length)).isEqualTo(data);
      }
      assertThat(server.server().clients().getFirst().peer()).startsWith("'alice' at 127.0.0.1");
      client.request(0, 2, 0, 0, 0);
      assertThat(client.hungUp()).isTrue(); // a connection that is merely cut is an exception here
    }
  }

  /** Which every client has to know, while not every one knows 1.3. */
  @Test
  void speaksTls12WithWhoDoesNotKnow13() throws Exception {
    try (NbdTestServer server = serve(Mode.REQUIRED, new Grant("alice", "disk", false));
        NbdTestClient client = connect(server)) {
      assertThat(client.optionType(5)).isEqualTo(ACK);
      client.encrypt(as("alice"), "TLSv1.2");
      assertThat(client.tlsProtocol()).isEqualTo("TLSv1.2");
      assertThat(listed(client)).containsExactly("disk");
      client.go("disk");
      for (int length : new int[] {1, 16_385, 300_001}) {
        byte[] data = Bytes.pattern(length, 0, length);
        assertThat(client.write(1, data)).isZero();
        assertThat(client.read(1, length)).isEqualTo(data);
      }
      assertThat(server.server().clients().getFirst().peer()).startsWith("'alice' at 127.0.0.1");
      client.request(0, 2, 0, 0, 0);
      assertThat(client.hungUp()).isTrue(); // in order, as above
    }
  }

  @Test
  void refusesWrongCertificatesInTls12Too() throws Exception {
    try (NbdTestServer server = serve(Mode.REQUIRED)) {
      for (String alias : new String[] {"", "mallory", "expired"}) {
        try (NbdTestClient client = connect(server)) {
          assertThat(client.optionType(5)).isEqualTo(ACK);
          assertThatExceptionOfType(IOException.class)
              .as("as '%s'", alias)
              .isThrownBy(() -> client.encrypt(as(alias), "TLSv1.2").go("disk"));
        }
      }
      Waiting.until("all are gone", () -> server.server().clients().isEmpty());
      assertThat(server.openedSessions()).isZero();
    }
  }

  @Test
  void prefersTls13() throws Exception {
    try (NbdTestServer server = serve(Mode.REQUIRED);
        NbdTestClient client = connect(server)) {
      assertThat(client.optionType(5)).isEqualTo(ACK);
      client.encrypt(as("alice"), "TLSv1.2", "TLSv1.3");
      assertThat(client.tlsProtocol()).isEqualTo("TLSv1.3");
    }
  }

  @Test
  void carriesManyRequestsAtATimeBothWays() throws Exception {
    byte[] data = Bytes.pattern(5, 0, 64 << 10);
    try (NbdTestServer server = serve(Mode.REQUIRED);
        NbdTestClient client = connect(server).startTls(as("alice")).go("disk")) {
      for (int i = 0; i < 64; i++) {
        client.request(0, 1, i, (long) i * data.length, data.length, data);
      }
      for (int i = 0; i < 64; i++) {
        assertThat(client.reply(0).error()).isZero();
      }
      for (int i = 0; i < 32; i++) {
        client.request(0, 0, i, (long) i * data.length, data.length);
      }
      for (int i = 0; i < 32; i++) {
        assertThat(client.reply(data.length).payload()).isEqualTo(data);
      }
    }
  }

  @Test
  void saysNothingBeforeTlsWhereItIsRequired() throws Exception {
    try (NbdTestServer server = serve(Mode.REQUIRED);
        NbdTestClient client = connect(server)) {
      for (int option : new int[] {3, 4, 6, 7, 8, 9, 10, 11, 99, -1}) {
        assertThat(client.optionType(option, "anything")).as("%d", option).isEqualTo(ERR_TLS_REQD);
      }
      assertThat(client.optionType(5, 1)).isEqualTo(ERR_INVALID);
      client.startTls(as("alice"));
      assertThat(client.optionType(4)).isEqualTo(ERR_UNSUP);
      client.go("disk");
      assertThat(client.read(0, 1)).containsExactly(0);
    }
  }

  @Test
  void hangsUpOnExportNameAndAnswersAbortBeforeTls() throws Exception {
    try (NbdTestServer server = serve(Mode.REQUIRED);
        NbdTestClient name = connect(server);
        NbdTestClient abort = connect(server)) {
      name.sendOption(1, NbdTestClient.bytes("disk"));
      assertThat(name.hungUp()).isTrue();
      assertThat(abort.optionType(2)).isEqualTo(ACK);
      assertThat(abort.hungUp()).isTrue();
    }
  }

  @Test
  void forgetsWhatWasNegotiatedBeforeTls() throws Exception {
    try (NbdTestServer server = serve(Mode.ON);
        NbdTestClient client = connect(server)) {
      assertThat(client.optionType(11)).isEqualTo(ACK);
      client.option(10, NbdTestClient.metaData("disk", "base:allocation"));
      client.startTls(as("alice"));
      assertThat(client.optionType(5)).isEqualTo(ERR_INVALID);
      assertThat(client.optionType(10, NbdTestClient.metaData("disk", "base:allocation")))
          .isEqualTo(ERR_INVALID);
      assertThat(client.optionType(8)).isEqualTo(ACK); // no extended headers, then
      client.go("disk");
      assertThat(client.errorOf(0, 7, 0, 512)).isEqualTo(22);
    }
  }

  @Test
  void hangsUpOnWhatWasSentBehindStartTls() throws Exception {
    try (NbdTestServer server = serve(Mode.ON);
        NbdTestClient client = connect(server)) {
      byte[] info = NbdTestClient.infoData("disk");
      client.send(
          NbdTestClient.bytes(NbdTestClient.IHAVEOPT, 5, 0),
          NbdTestClient.bytes(NbdTestClient.IHAVEOPT, 7, info.length, info));
      assertThat(client.hungUp()).isTrue();
    }
  }

  @Test
  void hangsUpOnAClientThatSpeaksSomethingElseThanTls() throws Exception {
    try (NbdTestServer server = serve(Mode.REQUIRED);
        NbdTestClient client = connect(server)) {
      assertThat(client.optionType(5)).isEqualTo(ACK);
      client.sendOption(3, new byte[0]);
      drain(client);
      Waiting.until("it is gone", () -> server.server().clients().isEmpty());
      assertThat(server.log().since(0, 1000)).anyMatch(line -> line.text().contains("is dropped"));
    }
  }

  @Test
  void hangsUpOnARecordThatIsLongerThanTlsHasThem() throws Exception {
    try (NbdTestServer server = serve(Mode.REQUIRED)) {
      for (int length : new int[] {0x4900, 0x8000, 0xffff}) {
        try (NbdTestClient client = connect(server)) {
          assertThat(client.optionType(5)).isEqualTo(ACK);
          client.send(NbdTestClient.bytes(0x16030100 | length >>> 8), new byte[] {(byte) length});
          drainWhileSending(client, length);
        }
      }
      Waiting.until("all are gone", () -> server.server().clients().isEmpty());
    }
  }

  /** The server may hang up at the header, or after some of what it announces. */
  private static void drainWhileSending(NbdTestClient client, int length) throws IOException {
    try {
      client.send(new byte[length]);
    } catch (IOException hungUp) {
      return;
    }
    drain(client);
  }

  /** An alert may come before the end. */
  private static void drain(NbdTestClient client) throws IOException {
    int most = 1000;
    while (!client.hungUp()) {
      assertThat(most--).isPositive();
    }
  }

  @Test
  void refusesCertificatesThatAreMissingForeignOrExpired() throws Exception {
    try (NbdTestServer server = serve(Mode.REQUIRED)) {
      for (String alias : new String[] {"", "mallory", "expired"}) {
        try (NbdTestClient client = connect(server)) {
          assertThat(client.optionType(5)).isEqualTo(ACK);
          assertThatExceptionOfType(IOException.class)
              .as("as '%s'", alias)
              .isThrownBy(() -> client.encrypt(as(alias)).go("disk"));
        }
      }
      Waiting.until("all are gone", () -> server.server().clients().isEmpty());
      assertThat(server.openedSessions()).isZero();
    }
  }

  @Test
  void isRefusedByAClientThatBelievesAnotherAuthority() throws Exception {
    try (NbdTestServer server = serve(Mode.REQUIRED);
        NbdTestClient client = connect(server)) {
      SSLContext elsewhere = certificates.client("mallory", "otherca");
      assertThatExceptionOfType(IOException.class).isThrownBy(() -> client.startTls(elsewhere));
    }
  }

  @Test
  void servesPlainClientsToWhereTlsIsOnlyOffered() throws Exception {
    try (NbdTestServer server = serve(Mode.ON);
        NbdTestClient plain = connect(server).go("disk");
        NbdTestClient secret = connect(server).startTls(as("bob")).go("disk")) {
      assertThat(plain.write(0, new byte[] {7})).isZero();
      assertThat(secret.read(0, 1)).containsExactly(7);
    }
  }

  @Test
  void offersTlsOnAUnixSocketAndNeverDemandsIt() throws Exception {
    try (NbdTestServer server = serve(Mode.REQUIRED, new Grant("alice", "other", true));
        NbdTestClient plain = server.connect().simple("disk")) {
      assertThat(plain.write(0, new byte[] {7})).isZero();
    }
  }

  @Test
  void letsEachClientUseWhatItIsGranted() throws Exception {
    Grant[] grants = {
      new Grant("alice", "disk", false),
      new Grant("*", "disk*", true),
      new Grant("nobody", "*", false)
    };
    try (NbdTestServer server = serve(Mode.REQUIRED, grants);
        NbdTestClient alice = connect(server).startTls(as("alice"));
        NbdTestClient bob = connect(server).startTls(as("bob"))) {
      assertThat(listed(alice)).containsExactly("disk", "disk2");
      assertThat(listed(bob)).containsExactly("disk", "disk2");
      for (String name : new String[] {"other", "nothing"}) {
        assertThat(alice.optionType(6, NbdTestClient.infoData(name))).isEqualTo(ERR_POLICY);
        assertThat(bob.optionType(7, NbdTestClient.infoData(name))).isEqualTo(ERR_POLICY);
        assertThat(bob.optionType(9, NbdTestClient.metaData(name))).isEqualTo(ERR_POLICY);
      }
      assertThat(flags(alice, "disk") & 2).isZero();
      assertThat(flags(alice, "disk2") & 2).isNotZero();
      assertThat(flags(bob, "disk") & 2).isNotZero();
      alice.go("disk");
      bob.go("disk");
      assertThat(alice.write(0, new byte[] {9})).isZero();
      assertThat(bob.write(0, new byte[] {8})).isEqualTo(1);
      assertThat(bob.errorOf(0, 4, 0, 512)).isEqualTo(1);
      assertThat(bob.errorOf(0, 6, 0, 512)).isEqualTo(1);
      assertThat(bob.read(0, 1)).containsExactly(9);
    }
  }

  private static short flags(NbdTestClient client, String name) throws IOException {
    return client.option(6, NbdTestClient.infoData(name)).getFirst().buffer().getShort(10);
  }

  private static List<String> listed(NbdTestClient client) throws IOException {
    var names = new ArrayList<String>();
    for (OptionReply reply : client.option(3)) {
      if (reply.type() == 2) {
        int length = reply.buffer().getInt();
        names.add(reply.text().substring(4, 4 + length));
      }
    }
    return names;
  }

  @Test
  void showsNothingToWhoHasNoCertificateWhereThereAreGrants() throws Exception {
    try (NbdTestServer server = serve(Mode.ON, new Grant("*", "*", false));
        NbdTestClient client = connect(server)) {
      assertThat(listed(client)).isEmpty();
      assertThat(client.optionType(6, NbdTestClient.infoData("disk"))).isEqualTo(ERR_TLS_REQD);
      assertThat(client.optionType(7, NbdTestClient.infoData("none"))).isEqualTo(ERR_TLS_REQD);
      client.startTls(as("bob"));
      assertThat(listed(client)).contains("disk");
      assertThat(client.optionType(7, NbdTestClient.infoData("none"))).isEqualTo(ERR_UNKNOWN);
      client.go("disk");
    }
  }

  @Test
  void servesAClientOnlySoManyConnections() throws Exception {
    NbdLimits usual = NbdLimits.DEFAULT;
    var limits =
        new NbdLimits(
            64,
            64,
            2,
            16,
            64,
            64L << 20,
            usual.patience(),
            usual.handshake(),
            usual.stall(),
            usual.drain());
    try (NbdTestServer server = serve(limits, Mode.REQUIRED)) {
      try (NbdTestClient first = connect(server).startTls(as("alice")).go("disk");
          NbdTestClient second = connect(server).startTls(as("alice")).go("disk");
          NbdTestClient other = connect(server).startTls(as("bob")).go("disk");
          NbdTestClient third = connect(server)) {
        assertThatExceptionOfType(IOException.class)
            .isThrownBy(() -> third.startTls(as("alice")).go("disk"));
        assertThat(first.read(0, 1)).hasSize(1);
        assertThat(second.read(0, 1)).hasSize(1);
        assertThat(other.read(0, 1)).hasSize(1);
      }
      Waiting.until("all are gone", () -> server.server().clients().isEmpty());
      try (NbdTestClient again = connect(server).startTls(as("alice")).go("disk")) {
        assertThat(again.read(0, 1)).hasSize(1);
      }
    }
  }

  @Test
  void dropsWhoBeginsTlsAndFallsSilent() throws Exception {
    NbdLimits usual = NbdLimits.DEFAULT;
    var limits =
        new NbdLimits(
            64,
            64,
            64,
            16,
            64,
            64L << 20,
            usual.patience(),
            Duration.ofSeconds(3),
            usual.stall(),
            usual.drain());
    try (NbdTestServer server = serve(limits, Mode.REQUIRED);
        NbdTestClient client = connect(server)) {
      assertThat(client.optionType(5)).isEqualTo(ACK);
      drain(client);
      assertThat(server.log().since(0, 1000))
          .anyMatch(line -> line.text().contains("negotiated for more than"));
    }
  }

  @Test
  void dropsATlsClientThatReadsNoReplies() throws Exception {
    try (NbdTestServer server = serve(NbdTestServer.limits(Duration.ofMillis(400)), Mode.REQUIRED);
        NbdTestClient client = connect(server).startTls(as("alice")).go("disk");
        NbdTestClient other = connect(server).startTls(as("bob")).go("disk")) {
      for (int i = 0; i < 4; i++) {
        client.request(0, 0, i, 0, 32 << 20);
      }
      assertThat(other.read(0, 4096)).hasSize(4096);
      Waiting.until("the idle reader is gone", () -> server.server().clients().size() == 1);
      assertThat(other.read(0, 4096)).hasSize(4096);
    }
  }

  @Test
  void listensBeyondLoopbackOnlyWhereTlsIsRequired() throws Exception {
    var everywhere = new InetSocketAddress("0.0.0.0", 0);
    for (Mode mode : new Mode[] {Mode.OFF, Mode.ON}) {
      var tls = mode == Mode.OFF ? NbdTls.NONE : new NbdTls(mode, Optional.of(files), List.of());
      assertThatExceptionOfType(BlkSnapException.class)
          .isThrownBy(() -> new NbdTestServer(NbdLimits.DEFAULT, tls, everywhere).close())
          .satisfies(e -> assertThat(e.errno()).isEqualTo(Errno.EINVAL))
          .withMessageContaining("TLS is not required");
    }
    var tls = new NbdTls(Mode.REQUIRED, Optional.of(files), List.of());
    try (var server = new NbdTestServer(NbdLimits.DEFAULT, tls, loopback(), everywhere)) {
      assertThat(server.server().tcpAddresses()).hasSize(2);
    }
  }

  @Test
  void refusesFilesThatAreMissingOrDoNotBelongTogether() throws Exception {
    Path wrong = Files.createDirectory(directory.resolve("wrong"));
    assertRefused(wrong, Errno.ENOENT, "ca-cert.pem");
    Files.copy(files.resolve("ca-cert.pem"), wrong.resolve("ca-cert.pem"));
    assertRefused(wrong, Errno.ENOENT, "server-cert.pem");
    Files.copy(files.resolve("server-cert.pem"), wrong.resolve("server-cert.pem"));
    assertRefused(wrong, Errno.ENOENT, "server-key.pem");
    Files.writeString(
        wrong.resolve("server-key.pem"),
        TestCertificates.pem("PRIVATE KEY", certificates.key("bob")));
    assertRefused(wrong, Errno.EINVAL, "is not the key of");
    Files.writeString(wrong.resolve("server-key.pem"), "nothing");
    assertRefused(wrong, Errno.EINVAL, "holds no private key");
    Files.writeString(
        wrong.resolve("server-key.pem"),
        TestCertificates.pem("ENCRYPTED PRIVATE KEY", new byte[9]));
    assertRefused(wrong, Errno.EINVAL, "needs a password");
    Files.writeString(
        wrong.resolve("ca-cert.pem"), TestCertificates.pem("CERTIFICATE", new byte[9]));
    assertRefused(wrong, Errno.EINVAL, "broken certificate");
  }

  private static void assertRefused(Path files, Errno errno, String words) {
    var tls = new NbdTls(Mode.REQUIRED, Optional.of(files), List.of());
    assertThatExceptionOfType(BlkSnapException.class)
        .isThrownBy(() -> new NbdTestServer(NbdLimits.DEFAULT, tls, loopback()).close())
        .withMessageContaining(words)
        .satisfies(e -> assertThat(e.errno()).isEqualTo(errno));
  }
}
