package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.error.BlkSnapException;
import blksnap.testing.HookedDevice;
import blksnap.testing.MemoryDevice;
import blksnap.testing.Seeds;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Peers that break, stall, lie and flood: none of them may harm the server or another client. */
@Timeout(120)
class NbdHostileTest {
  private static final int SIZE = 16 << 20;
  private static final int READ = 0;
  private static final int WRITE = 1;
  private static final int STATUS = 7;
  private static final Duration SHORT = Duration.ofMillis(200);
  private static final Duration LONG = Duration.ofMinutes(5);

  private final MemoryDevice disk = MemoryDevice.ofSize(SIZE);

  private static NbdLimits limits(
      int connections, Duration handshake, Duration stall, Duration drain) {
    return new NbdLimits(
        connections,
        connections,
        connections,
        16,
        1024,
        64L << 20,
        Duration.ofMillis(50),
        handshake,
        stall,
        drain);
  }

  private NbdTestServer serve(NbdLimits limits) throws IOException {
    return new NbdTestServer(limits).with("disk", disk);
  }

  private static void assertServes(NbdTestServer server) throws IOException {
    try (NbdTestClient client = server.connect().simple("disk")) {
      assertThat(client.read(0, 4096)).hasSize(4096);
    }
  }

  private static void assertAllReleased(NbdTestServer server) {
    Waiting.until("no client left", () -> server.server().clients().isEmpty());
    assertThat(server.closedSessions()).isEqualTo(server.openedSessions());
    assertThat(server.pool().lentBytes()).isZero();
  }

  @Test
  void survivesAPeerThatIsLostAfterEveryByte() throws IOException {
    byte[] name = NbdTestClient.infoData("disk", 3);
    assertSurvivesLossAfterEveryByte(
        NbdTestClient.bytes(
            NbdTestClient.bytes(3),
            NbdTestClient.bytes(NbdTestClient.IHAVEOPT, 8, 0),
            NbdTestClient.bytes(NbdTestClient.IHAVEOPT, 7, name.length, name),
            NbdTestClient.bytes(0x25609513, (short) 0, (short) READ, 1L, 0L, 4096),
            NbdTestClient.bytes(0x25609513, (short) 0, (short) WRITE, 2L, 0L, 64, ones())));
  }

  @Test
  void survivesAPeerWithExtendedHeadersThatIsLostAfterEveryByte() throws IOException {
    byte[] name = NbdTestClient.infoData("disk");
    byte[] contexts = NbdTestClient.metaData("disk", "base:allocation");
    byte[] filter = NbdTestClient.bytes(4096L, 1);
    assertSurvivesLossAfterEveryByte(
        NbdTestClient.bytes(
            NbdTestClient.bytes(3),
            NbdTestClient.bytes(NbdTestClient.IHAVEOPT, 11, 0),
            NbdTestClient.bytes(NbdTestClient.IHAVEOPT, 10, contexts.length, contexts),
            NbdTestClient.bytes(NbdTestClient.IHAVEOPT, 7, name.length, name),
            NbdTestClient.bytes(0x21e41c71, (short) 0, (short) READ, 1L, 0L, 4096L),
            NbdTestClient.bytes(0x21e41c71, (short) 0x20, (short) STATUS, 2L, 0L, 12L, filter),
            NbdTestClient.bytes(0x21e41c71, (short) 0x20, (short) WRITE, 3L, 0L, 64L, ones())));
  }

  private static byte[] ones() {
    byte[] payload = new byte[64];
    Arrays.fill(payload, (byte) 1);
    return payload;
  }

  /**
   * @param talk ends with a WRITE, whose last byte never comes
   */
  private void assertSurvivesLossAfterEveryByte(byte[] talk) throws IOException {
    try (NbdTestServer server = serve(NbdLimits.DEFAULT)) {
      for (int end = 0; end < talk.length; end++) {
        try (NbdTestClient client = server.connect()) {
          client.send(Arrays.copyOf(talk, end));
        }
      }
      assertAllReleased(server);
      assertThat(disk.content()).isEqualTo(new byte[SIZE]);
      assertServes(server);
      try (NbdTestClient whole = server.connect()) {
        whole.send(talk); // means what it is meant to
        Waiting.until("it is written", () -> disk.content()[63] == 1);
      }
    }
  }

  @Test
  void neverAppliesAWriteThatCameOnlyInPart() throws IOException {
    try (NbdTestServer server = serve(NbdLimits.DEFAULT)) {
      for (int length : new int[] {2, 5000, 1 << 20, 8 << 20}) {
        byte[] most = new byte[length - 1];
        Arrays.fill(most, (byte) 9);
        try (NbdTestClient client = server.connect().simple("disk")) {
          client.send(0x25609513, (short) 0, (short) WRITE, 1L, 0L, length, most);
        }
      }
      assertAllReleased(server);
      assertThat(disk.content()).isEqualTo(new byte[SIZE]);
    }
  }

  @Test
  void survivesRandomBytes() throws IOException {
    var seed = Seeds.ofRun();
    Random random = seed.random();
    try (NbdTestServer server = serve(NbdLimits.DEFAULT)) {
      for (int i = 0; i < 300; i++) {
        byte[] garbage = new byte[random.nextInt(300)];
        random.nextBytes(garbage);
        try (NbdTestClient client = server.connect()) {
          switch (random.nextInt(3)) {
            case 0 -> client.send(garbage);
            case 1 -> {
              client.greet();
              byte[] header = NbdTestClient.bytes(NbdTestClient.IHAVEOPT, random.nextInt(13));
              client.send(header, garbage.length, garbage);
              client.send(header, random.nextInt(), garbage);
            }
            default -> {
              client.simple("disk");
              client.request(
                  random.nextInt(64), random.nextInt(9), i, random.nextLong(), random.nextInt());
              client.send(garbage);
            }
          }
        } catch (IOException e) { // hung up on while sending: fair
          assertThat(e.getMessage()).as("%s", seed).containsAnyOf("Broken pipe", "reset");
        }
      }
      assertAllReleased(server);
      assertServes(server);
    }
  }

  @Test
  void servesOthersWhileOneReadsNoReplies() throws IOException {
    try (NbdTestServer server = serve(limits(8, LONG, LONG, SHORT));
        NbdTestClient deaf = server.connect().structured("disk")) {
      disk.set(0, new byte[8 << 20]);
      for (int i = 0; i < 100; i++) {
        deaf.request(0, READ, i, 0, 8 << 20);
      }
      Waiting.until(
          "replies are stuck", () -> server.server().clients().getFirst().inFlight() == 16);
      assertThat(server.pool().lentBytes()).isLessThanOrEqualTo(64L << 20);
      for (int i = 0; i < 20; i++) {
        assertServes(server);
      }
    }
  }

  @Test
  void dropsAClientThatReadsNoReplies() throws IOException {
    try (NbdTestServer server = serve(limits(8, LONG, SHORT, LONG));
        NbdTestClient deaf = server.connect().simple("disk")) {
      for (int i = 0; i < 8; i++) {
        deaf.request(0, READ, i, 0, 4 << 20);
      }
      Waiting.until("its session is closed", () -> server.closedSessions() == 1);
      assertAllReleased(server);
      assertServes(server);
    }
  }

  @Test
  void dropsAClientThatNeverFinishesItsWrite() throws IOException {
    try (NbdTestServer server = serve(limits(8, LONG, SHORT, LONG));
        NbdTestClient client = server.connect().simple("disk")) {
      client.send(0x25609513, (short) 0, (short) WRITE, 1L, 0L, 1 << 20, new byte[1000]);
      assertThat(client.hungUp()).isTrue();
      assertAllReleased(server);
      assertThat(disk.content()).isEqualTo(new byte[SIZE]);
    }
  }

  @Test
  void letsAClientBeIdleBetweenRequests() throws IOException {
    try (NbdTestServer server = serve(limits(8, SHORT, SHORT, LONG));
        NbdTestClient idle = server.connect().simple("disk")) {
      try (NbdTestClient silent = server.connect()) { // dropped: then more than a stall has passed
        silent.receive(18);
        assertThat(silent.hungUp()).isTrue();
      }
      assertThat(idle.read(0, 1)).containsExactly(0);
    }
  }

  @Test
  void dropsWhoDoesNotNegotiateInTime() throws IOException {
    try (NbdTestServer server = serve(limits(8, SHORT, LONG, LONG))) {
      try (NbdTestClient silent = server.connect();
          NbdTestClient half = server.connect().greet();
          NbdTestClient slow = server.connect().greet()) {
        silent.receive(18);
        half.send(NbdTestClient.IHAVEOPT, 7);
        slow.send(NbdTestClient.IHAVEOPT, 99, 1000, new byte[999]);
        assertThat(silent.hungUp()).isTrue();
        assertThat(half.hungUp()).isTrue();
        assertThat(slow.hungUp()).isTrue();
      }
      assertAllReleased(server);
    }
  }

  @Test
  void closesOneConnectionTooManyAtOnce() throws IOException {
    try (NbdTestServer server = serve(limits(3, LONG, LONG, LONG))) {
      var clients = new ArrayList<NbdTestClient>();
      for (int i = 0; i < 3; i++) {
        clients.add(server.connect().simple("disk"));
      }
      try (NbdTestClient fourth = server.connect()) {
        assertThat(fourth.hungUp()).isTrue();
      }
      assertThat(server.server().counters().refused()).isEqualTo(1);
      clients.getFirst().close();
      Waiting.until("a place is free", () -> server.server().clients().size() == 2);
      assertServes(server);
      for (NbdTestClient client : clients) {
        client.close();
      }
    }
  }

  @Test
  void givesUpClosingWhenADeviceNeverReturnsAndSaysSo() throws Exception {
    var gate = new CountDownLatch(1);
    try (NbdTestServer server = serve(limits(8, LONG, LONG, SHORT))) {
      server.with("stuck", new HookedDevice(disk, (call, offset, length) -> awaitQuietly(gate)));
      try (NbdTestClient client = server.connect().simple("stuck")) {
        client.request(0, READ, 1, 0, 512);
        Waiting.until(
            "it is in flight", () -> server.server().clients().getFirst().inFlight() == 1);
        assertThat(server.server().disconnect("stuck")).isFalse();
        assertThatThrownBy(server.server()::close)
            .isInstanceOf(BlkSnapException.class)
            .hasMessageContaining("1 connections");
        assertThat(server.socket()).doesNotExist();
        assertThat(server.closedSessions()).isZero();
        gate.countDown();
        Waiting.until("its session is closed", () -> server.closedSessions() == 1);
      }
    }
  }

  private static void awaitQuietly(CountDownLatch gate) throws IOException {
    try {
      gate.await();
    } catch (InterruptedException e) {
      throw new IOException("a device call was interrupted", e);
    }
  }

  @Test
  void answersManyOverlappingFailuresWithoutFillingTheLog() throws IOException {
    try (NbdTestServer server = serve(NbdLimits.DEFAULT)) {
      server.with(
          "broken",
          new HookedDevice(
              disk,
              (call, offset, length) -> {
                throw new IOException("broken");
              }));
      try (NbdTestClient client = server.connect().simple("broken")) {
        for (int i = 0; i < 200; i++) {
          client.request(0, READ, i, 0, 512);
        }
        for (int i = 0; i < 200; i++) {
          assertThat(client.reply(0).error()).isEqualTo(5);
        }
      }
      assertThat(server.log().since(0, 1000)).hasSizeLessThan(40);
    }
  }
}
