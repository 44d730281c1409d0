package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.log.LogRing;
import blksnap.testing.HookedDevice;
import blksnap.testing.MemoryDevice;
import blksnap.testing.Seeds;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Clients that are lost at any point of what they do: their sessions, threads, memory and
 * descriptors come back, all of them. And clients that keep what all share: others go on.
 */
@Timeout(180)
class NbdVanishTest {
  private static final int SIZE = 64 << 20;
  private static final int READ = 0;
  private static final int WRITE = 1;
  private static final int MIB = 1 << 20;
  private static final int LARGEST = 32 * MIB;

  /** Threads of a server without clients: one that accepts, and the watchdog. */
  private static final int SERVER_THREADS = 2;

  private final Seeds seeds = Seeds.ofRun();
  private final MemoryDevice disk = MemoryDevice.ofSize(SIZE);

  @BeforeAll
  static void loadWhatOpensDescriptorsOnce() throws IOException {
    try (NbdTestServer server = NbdTestServer.of(MemoryDevice.ofSize(MIB));
        NbdTestClient client = server.connect().simple("disk")) {
      client.read(0, 512);
    }
    descriptors();
  }

  private static NbdLimits limits(int threads, int moreThreads) {
    Duration never = Duration.ofMinutes(5);
    return new NbdLimits(
        64, 64, 64, threads, moreThreads, 64L << 20, Duration.ofMillis(50), never, never, never);
  }

  private NbdTestServer serve(NbdLimits limits) throws IOException {
    return new NbdTestServer(limits).with("disk", disk);
  }

  private static long threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("blksnap-nbd-"))
        .count();
  }

  /** Sockets of this process that are open. */
  private static long descriptors() throws IOException {
    long sockets = 0;
    try (var entries = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path entry : entries) {
        try {
          sockets += Files.readSymbolicLink(entry).toString().startsWith("socket:") ? 1 : 0;
        } catch (IOException _) {
          sockets += 0; // closed meanwhile
        }
      }
    }
    return sockets;
  }

  private static void assertAllReleased(NbdTestServer server, long socketsBefore) {
    Waiting.until("no client left", () -> server.server().clients().isEmpty());
    assertThat(server.closedSessions()).isEqualTo(server.openedSessions());
    assertThat(server.pool().lentBytes()).isZero();
    Waiting.until("no thread left", () -> threads() == SERVER_THREADS);
    Waiting.until(
        "no descriptor left",
        () -> {
          try {
            return descriptors() <= socketsBefore;
          } catch (IOException e) {
            throw new AssertionError(e);
          }
        });
  }

  private static byte[] talk() {
    byte[] name = NbdTestClient.infoData("disk", 3);
    return NbdTestClient.bytes(
        NbdTestClient.bytes(3),
        NbdTestClient.bytes(NbdTestClient.IHAVEOPT, 8, 0),
        NbdTestClient.bytes(NbdTestClient.IHAVEOPT, 7, name.length, name),
        NbdTestClient.bytes(0x25609513, (short) 0, (short) READ, 1L, 0L, 4 * MIB),
        NbdTestClient.bytes(0x25609513, (short) 0, (short) READ, 2L, 0L, 4096),
        NbdTestClient.bytes(0x25609513, (short) 0, (short) WRITE, 3L, 0L, 100_000),
        new byte[100_000]);
  }

  @Test
  void releasesThousandsThatComeAndGoInEveryState() throws Exception {
    byte[] talk = talk();
    int handshake = talk.length - 100_000 - 3 * 28;
    try (NbdTestServer server = serve(NbdLimits.DEFAULT)) {
      long sockets = descriptors();
      var storms = new ArrayList<Thread>();
      var failures = new ArrayList<Throwable>();
      for (int i = 0; i < 4; i++) {
        Random random = seeds.random(i);
        storms.add(
            Thread.ofPlatform()
                .uncaughtExceptionHandler((_, failure) -> failures.add(failure))
                .start(() -> storm(server, talk, handshake, random)));
      }
      for (Thread storm : storms) {
        storm.join();
      }
      assertThat(failures).as("%s", seeds).isEmpty();
      assertAllReleased(server, sockets);
    }
  }

  private static void storm(NbdTestServer server, byte[] talk, int handshake, Random random) {
    for (int i = 0; i < 750; i++) {
      boolean early = random.nextBoolean();
      int end = early ? random.nextInt(handshake) : handshake + random.nextInt(100_000);
      try (NbdTestClient client = server.connect()) {
        client.send(Arrays.copyOf(talk, end));
      } catch (IOException e) {
        throw new AssertionError("client " + i + " after " + end + " bytes", e);
      }
    }
  }

  @Test
  void releasesClientsThatVanishWithRepliesPending() throws IOException {
    try (NbdTestServer server = serve(NbdLimits.DEFAULT)) {
      long sockets = descriptors();
      for (int round = 0; round < 10; round++) {
        try (NbdTestClient simple = server.connect().simple("disk");
            NbdTestClient structured = server.connect().structured("disk")) {
          for (int i = 0; i < 64; i++) {
            simple.request(0, READ, i, 0, 4 * MIB);
            structured.request(0, READ, i, 0, LARGEST);
          }
          Waiting.until("some are answered", () -> server.server().counters().requests() > 0);
        }
      }
      assertAllReleased(server, sockets);
    }
  }

  @Test
  void releasesAClientThatVanishesWhileItsWriteIsInsideTheDevice() throws IOException {
    var gate = new CountDownLatch(1);
    var inside = new CountDownLatch(1);
    try (NbdTestServer server = serve(NbdLimits.DEFAULT)) {
      server.with(
          "slow",
          new HookedDevice(
              disk,
              (call, offset, length) -> {
                inside.countDown();
                await(gate);
              }));
      long sockets = descriptors();
      try (NbdTestClient client = server.connect().simple("slow")) {
        client.request(0, WRITE, 1, 0, MIB, new byte[MIB]);
        await(inside);
      }
      assertThat(server.closedSessions()).isZero();
      gate.countDown();
      assertAllReleased(server, sockets);
    }
  }

  private static void await(CountDownLatch latch) throws IOException {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IOException("a test is not interrupted", e);
    }
  }

  /** Clients that each hold a largest payload of the server's memory, and send no more. */
  private static List<NbdTestClient> hoarders(NbdTestServer server) throws IOException {
    var hoarders = new ArrayList<NbdTestClient>();
    for (int i = 0; i < 3; i++) {
      NbdTestClient hoarder = server.connect().simple("disk");
      hoarders.add(hoarder);
      hoarder.send(0x25609513, (short) 0, (short) WRITE, 1L, 0L, LARGEST, new byte[100]);
      long held = (i + 1L) * LARGEST;
      Waiting.until("it holds memory", () -> server.pool().lentBytes() >= held);
    }
    return hoarders;
  }

  @Test
  void servesOthersInPartsWhenAllMemoryIsHeld() throws IOException {
    byte[] content = new byte[5 * MIB + 777];
    seeds.random().nextBytes(content);
    try (NbdTestServer server = serve(limits(16, 64))) {
      List<NbdTestClient> hoarders = hoarders(server);
      try (NbdTestClient simple = server.connect().simple("disk");
          NbdTestClient structured = server.connect().structured("disk")) {
        assertThat(simple.write(12_345, content)).isZero();
        assertThat(simple.read(12_345, content.length)).isEqualTo(content);
        int fua = 1;
        int oneReply = 4;
        structured.request(fua, WRITE, 7, 20_000_000, content.length, content);
        assertThat(structured.error()).isZero();
        structured.request(oneReply, READ, 8, 20_000_000, content.length);
        byte[] answer = structured.reply(0).payload();
        assertThat(Arrays.copyOfRange(answer, 8, answer.length)).isEqualTo(content);
      }
      assertThat(server.pool().lentBytes()).isEqualTo(3L * LARGEST);
      for (NbdTestClient hoarder : hoarders) {
        hoarder.close();
      }
      Waiting.until("all is given back", () -> server.pool().lentBytes() == 0);
    }
  }

  @Test
  void keepsPlaceForSmallPayloadsWhenTheLargeOnesHoldTheirs() throws IOException {
    try (NbdTestServer server = serve(limits(16, 64))) {
      List<NbdTestClient> hoarders = hoarders(server);
      try (NbdTestClient half = server.connect().simple("disk")) {
        half.send(0x25609513, (short) 0, (short) WRITE, 1L, 0L, MIB, new byte[100]);
        Waiting.until(
            "it has memory of its own", () -> server.pool().lentBytes() == 3L * LARGEST + MIB);
      }
      for (NbdTestClient hoarder : hoarders) {
        hoarder.close();
      }
    }
  }

  @Test
  void tellsAFailureWithinPartsAndGoesOnWhereItCan() throws IOException {
    try (NbdTestServer server = serve(limits(16, 64))) {
      server.with(
          "bad",
          new HookedDevice(
              disk,
              (call, offset, length) -> {
                if (offset + length > 10 * MIB) {
                  throw new IOException("bad sector");
                }
              }));
      List<NbdTestClient> hoarders = hoarders(server);
      try (NbdTestClient client = server.connect().simple("bad")) {
        assertThat(client.write(9 * MIB, new byte[3 * MIB])).isEqualTo(5);
        assertThat(client.errorOf(0, READ, 20 * MIB, 2 * MIB)).isEqualTo(5);
        assertThat(client.read(0, 2 * MIB)).hasSize(2 * MIB);
        client.request(0, READ, 1, 9 * MIB, 3 * MIB); // begun well, so only a hang-up can tell
        client.receive(16);
        assertThat(readToEnd(client)).isLessThan(3 * MIB);
      }
      for (NbdTestClient hoarder : hoarders) {
        hoarder.close();
      }
    }
  }

  @Test
  void fillsABegunReplyUpAndThenTellsTheFailureWhereThereAreChunks() throws IOException {
    try (NbdTestServer server = serve(limits(16, 64))) {
      server.with(
          "bad",
          new HookedDevice(
              disk,
              (call, offset, length) -> {
                if (call == HookedDevice.Call.READ && offset + length > 10 * MIB) {
                  throw new IOException("bad sector");
                }
              }));
      List<NbdTestClient> hoarders = hoarders(server);
      int oneReply = 4;
      try (NbdTestClient client = server.connect().structured("bad")) {
        disk.set(9 * MIB, new byte[3 * MIB]); // no hole: it is read
        client.request(oneReply, READ, 1, 9 * MIB, 3 * MIB);
        NbdTestClient.Reply begun = client.reply(0);
        assertThat(begun.type()).isEqualTo(1);
        assertThat(begun.done()).isFalse();
        assertThat(begun.payload()).hasSize(8 + 3 * MIB);
        NbdTestClient.Reply last = client.reply(0);
        assertThat(last.error()).isEqualTo(5);
        assertThat(last.done()).isTrue();
        assertThat(client.errorOf(0, READ, 0, 0)).isZero();
      }
      for (NbdTestClient hoarder : hoarders) {
        hoarder.close();
      }
    }
  }

  private static int readToEnd(NbdTestClient client) {
    int count = 0;
    try {
      while (true) {
        client.receive(1024);
        count += 1024;
      }
    } catch (IOException e) {
      return count;
    }
  }

  @Test
  void keepsPlacesForOneSocketThatTheOtherMayNotTake() throws IOException {
    Duration never = Duration.ofMinutes(5);
    var limits = new NbdLimits(3, 2, 2, 1, 0, 64L << 20, never, never, never, never);
    Path directory = Files.createTempDirectory("nbd");
    Path socket = directory.resolve("nbd.sock");
    var loopback = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    var places = new NbdConfig(Optional.of(socket), Optional.of(loopback), limits);
    try (NbdTestServer exports = serve(NbdLimits.DEFAULT);
        NbdServer server = NbdServer.start(places, exports, exports.pool(), new LogRing())) {
      InetSocketAddress tcp = server.tcpAddress().orElseThrow();
      try (NbdTestClient first = NbdTestClient.connect(tcp).simple("disk");
          NbdTestClient second = NbdTestClient.connect(tcp).simple("disk");
          NbdTestClient third = NbdTestClient.connect(tcp);
          NbdTestClient own = NbdTestClient.connect(socket).simple("disk")) {
        assertThat(third.hungUp()).isTrue();
        assertThat(first.read(0, 1)).hasSize(1);
        assertThat(second.read(0, 1)).hasSize(1);
        assertThat(own.read(0, 1)).hasSize(1);
      }
    }
    Files.delete(directory);
  }

  @Test
  void answersEverythingOnASingleThreadWhenThereAreNoMore() throws IOException {
    try (NbdTestServer server = serve(limits(16, 0));
        NbdTestClient client = server.connect().simple("disk")) {
      for (int i = 0; i < 32; i++) {
        client.request(0, READ, i, 0, 100_000);
      }
      for (int i = 0; i < 32; i++) {
        assertThat(client.reply(100_000).error()).isZero();
      }
      assertThat(threads()).isEqualTo(SERVER_THREADS + 1);
    }
  }

  @Test
  void givesTheThreadsOfOneConnectionToTheNext() throws IOException {
    try (NbdTestServer server = serve(limits(16, 3))) {
      for (int round = 0; round < 20; round++) {
        try (NbdTestClient client = server.connect().simple("disk")) {
          for (int i = 0; i < 8; i++) {
            client.request(0, READ, i, 0, MIB);
          }
          for (int i = 0; i < 8; i++) {
            assertThat(client.reply(MIB).error()).isZero();
          }
          assertThat(threads()).isLessThanOrEqualTo(SERVER_THREADS + 1 + 3);
        }
        Waiting.until("it is gone", () -> threads() == SERVER_THREADS);
      }
    }
  }
}
