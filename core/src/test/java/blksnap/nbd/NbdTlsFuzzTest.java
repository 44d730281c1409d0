package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.fuzz.FuzzRun;
import blksnap.log.LogRing;
import blksnap.nbd.NbdTls.Mode;
import blksnap.testing.Bytes;
import blksnap.testing.MemoryDevice;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Handshakes and records of TLS that are damaged on their way. What is sealed is applied as it was
 * sent or not at all, the server stays up, and somebody else is served meanwhile.
 */
@Timeout(300)
class NbdTlsFuzzTest {
  private static final int CASES = 60;
  private static final int SIZE = 1 << 20;
  private static final int BLOCK = 4096;

  @TempDir private Path directory;

  private final MemoryDevice disk = MemoryDevice.ofSize(SIZE);

  /** What the disk holds, as far as every case before has shown. */
  private byte[] model = new byte[SIZE];

  @Test
  void appliesWhatIsSealedAsItWasSentOrNotAtAll() throws Exception {
    var run = FuzzRun.ofCases(CASES);
    TestCertificates certificates = TestCertificates.makeFew(directory);
    SSLContext alice = certificates.client("alice", "ca");
    var tls = new NbdTls(Mode.REQUIRED, Optional.of(certificates.serverDirectory()), List.of());
    var loopback = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    int finished = 0;
    long began = System.nanoTime();
    try (var server = new NbdTestServer(NbdLimits.DEFAULT, tls, loopback).with("disk", disk)) {
      try (NbdTestClient bystander = server.connect().simple("disk")) {
        for (int number : run.cases().toArray()) {
          String story = run.repeat(number);
          InetSocketAddress address = server.server().tcpAddress().orElseThrow();
          if (session(address, alice, run.random(number), number, story)) {
            finished++;
          }
          Waiting.until(story + ": it is gone", () -> server.server().clients().size() == 1);
          assertThat(bystander.read(0, SIZE)).as(story).isEqualTo(model);
          assertThat(server.closedSessions()).as(story).isEqualTo(server.openedSessions() - 1);
          assertThat(server.log().since(0, 1 << 20))
              .as(story)
              .noneMatch(line -> line.level() == LogRing.Level.ERROR);
        }
      }
      Waiting.until("all are gone", () -> server.server().clients().isEmpty());
      assertThat(server.pool().lentBytes()).as("%s", run.seeds()).isZero();
    }
    System.out.println(run.rate("nbd tls", System.nanoTime() - began) + ", whole: " + finished);
  }

  /** Whether it came to its end, and the model knows what it wrote. */
  private boolean session(
      InetSocketAddress server, SSLContext alice, Random random, int number, String story)
      throws Exception {
    int offset = BLOCK * random.nextInt(SIZE / BLOCK - 8);
    byte[] data = Bytes.pattern(number + 1, 0, 1 + random.nextInt(7 * BLOCK));
    String version = random.nextBoolean() ? "TLSv1.3" : "TLSv1.2";
    boolean whole = false;
    try (var wire = new DamagedWire(server, random)) {
      try (NbdTestClient client = NbdTestClient.connect(wire.address())) {
        client.greet();
        client.optionType(5);
        client.encrypt(alice, version).go("disk");
        client.write(offset, data);
        assertThat(client.read(offset, data.length)).as(story).isEqualTo(data);
        whole = true;
      } catch (IOException damaged) {
        assertThat(wire.damage()).as("%s: %s", story, damaged).isNotEmpty();
      }
    }
    byte[] written = model.clone();
    System.arraycopy(data, 0, written, offset, data.length);
    byte[] now = disk.content();
    if (whole || !Arrays.equals(now, model)) {
      assertThat(now).as(story).isEqualTo(written);
    }
    model = now;
    return whole;
  }
}
