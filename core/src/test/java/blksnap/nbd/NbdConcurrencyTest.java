package blksnap.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.testing.HookedDevice;
import blksnap.testing.MemoryDevice;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class NbdConcurrencyTest {
  private static final int READ = 0;
  private static final int WRITE = 1;
  private static final int TRIM = 4;

  private final MemoryDevice disk = MemoryDevice.ofSize(16 << 20);

  /** Calls at these offsets wait until their latch opens. */
  private final Map<Long, CountDownLatch> gates = new ConcurrentHashMap<>();

  private final AtomicInteger entered = new AtomicInteger();
  private NbdTestServer server;

  @BeforeEach
  void start() throws IOException {
    server = NbdTestServer.of(new HookedDevice(disk, (call, offset, length) -> pass(offset)));
  }

  @AfterEach
  void close() throws IOException {
    gates.values().forEach(CountDownLatch::countDown);
    server.close();
    assertThat(server.closedSessions()).isEqualTo(server.openedSessions());
    assertThat(server.pool().lentBytes()).isZero();
  }

  private void pass(long offset) throws IOException {
    entered.incrementAndGet();
    CountDownLatch gate = gates.get(offset);
    if (gate != null) {
      try {
        if (!gate.await(60, TimeUnit.SECONDS)) {
          throw new IOException("nobody opened the gate at " + offset);
        }
      } catch (InterruptedException e) {
        throw new IOException("a device call was interrupted", e);
      }
    }
  }

  private CountDownLatch gateAt(long offset) {
    var gate = new CountDownLatch(1);
    gates.put(offset, gate);
    return gate;
  }

  @Test
  void answersAFastRequestWhileASlowOneIsInFlight() throws IOException {
    CountDownLatch gate = gateAt(0);
    try (NbdTestClient client = server.connect().simple("disk")) {
      client.request(0, READ, 1, 0, 512);
      client.request(0, READ, 2, 4096, 512);
      assertThat(client.reply(512).cookie()).isEqualTo(2);
      gate.countDown();
      assertThat(client.reply(512).cookie()).isEqualTo(1);
    }
  }

  @Test
  void answersRequestsInTheOrderTheyFinish() throws IOException {
    try (NbdTestClient client = server.connect().structured("disk")) {
      var closed = new ArrayList<CountDownLatch>();
      for (int i = 0; i < 16; i++) {
        closed.add(gateAt(i * 4096L));
        client.request(0, i % 2 == 0 ? READ : TRIM, i, i * 4096L, 4096);
      }
      Waiting.until("all sixteen in the device", () -> entered.get() == 16);
      for (int i = 15; i >= 0; i--) {
        closed.get(i).countDown();
        assertThat(client.reply(0).cookie()).isEqualTo(i);
      }
    }
  }

  @Test
  void answersWhatIsDoneThoughTheRequestThatCameWithItIsSlow() throws IOException {
    CountDownLatch gate = gateAt(0);
    try (NbdTestClient client = server.connect().simple("disk")) {
      client.send(request(1, 4096), request(2, 8192), request(3, 0));
      assertThat(client.reply(512).cookie()).isEqualTo(1);
      assertThat(client.reply(512).cookie()).isEqualTo(2);
      gate.countDown();
      assertThat(client.reply(512).cookie()).isEqualTo(3);
    }
  }

  @Test
  void answersASlowRequestThoughTheOneThatCameWithItWasReadByAnother() throws IOException {
    CountDownLatch gate = gateAt(0);
    try (NbdTestClient client = server.connect().simple("disk")) {
      client.send(request(1, 0), request(2, 4096));
      assertThat(client.reply(512).cookie()).isEqualTo(2);
      gate.countDown();
      assertThat(client.reply(512).cookie()).isEqualTo(1);
    }
  }

  @Test
  void answersWhatIsWholeThoughTheNextRequestIsNot() throws IOException {
    try (NbdTestClient client = server.connect().simple("disk")) {
      byte[] last = request(9, 4096);
      for (int part = 1; part < last.length; part++) {
        client.send(request(1, 0), request(2, 8192), Arrays.copyOf(last, part));
        assertThat(client.reply(512).cookie()).isEqualTo(1);
        assertThat(client.reply(512).cookie()).isEqualTo(2);
        client.send(Arrays.copyOfRange(last, part, last.length));
        assertThat(client.reply(512).cookie()).isEqualTo(9);
      }
    }
  }

  /** A READ of 512 bytes. */
  private static byte[] request(long cookie, long offset) {
    return NbdTestClient.bytes(0x25609513, (short) 0, (short) READ, cookie, offset, 512);
  }

  @Test
  void worksOnNoMoreRequestsOfOneConnectionThanItsLimit() throws IOException {
    CountDownLatch gate = gateAt(0);
    try (NbdTestClient client = server.connect().simple("disk")) {
      for (int i = 0; i < 40; i++) {
        client.request(0, READ, i, 0, 512);
      }
      Waiting.until("sixteen in the device", () -> entered.get() == 16);
      assertThat(server.server().clients().getFirst().inFlight()).isEqualTo(16);
      assertThat(entered.get()).isEqualTo(16);
      gate.countDown();
      var cookies = new ArrayList<Long>();
      for (int i = 0; i < 40; i++) {
        cookies.add(client.reply(512).cookie());
      }
      assertThat(cookies).doesNotHaveDuplicates();
    }
  }

  /**
   * The device serves one request at a time, in the order in which they come. A connection has no
   * more than sixteen there, however many it has sent: so many can be served before the modest one.
   */
  @Test
  void servesAModestClientBesideAGreedyOne() throws Exception {
    long modestAt = 8192;
    var permits = new Semaphore(0, true);
    var come = new AtomicInteger();
    var modestCome = new AtomicInteger();
    var served = new AtomicInteger();
    var modestServed = new AtomicInteger();
    server.with(
        "slow",
        new HookedDevice(
            disk,
            (call, offset, length) -> {
              (offset == modestAt ? modestCome : come).incrementAndGet();
              permits.acquireUninterruptibly();
              (offset == modestAt ? modestServed : served).incrementAndGet();
            }));
    var over = new AtomicBoolean();
    try (NbdTestClient greedy = server.connect().simple("slow");
        NbdTestClient modest = server.connect().simple("slow");
        var pool = Executors.newSingleThreadExecutor()) {
      for (int i = 0; i < 64; i++) {
        greedy.request(0, READ, i, 0, 512);
      }
      Future<Boolean> asking =
          pool.submit(() -> {
            while (!over.get()) { // 64 are in flight again with every answer
              assertThat(greedy.reply(512).error()).isZero();
              greedy.request(0, READ, 1, 0, 512);
            }
            return true;
          });
      try {
        for (int round = 1; round <= 10; round++) {
          int number = round;
          Waiting.until("the greedy one has its share", () -> permits.getQueueLength() >= 16);
          modest.request(0, READ, number, modestAt, 512);
          Waiting.until(
              "all that have come stand in line",
              () ->
                  modestCome.get() == number
                      && permits.getQueueLength() == come.get() - served.get() + 1);
          int before = served.get();
          while (modestServed.get() < number) {
            int all = served.get() + modestServed.get();
            permits.release();
            Waiting.until("one is served", () -> served.get() + modestServed.get() > all);
          }
          assertThat(modest.reply(512).cookie()).isEqualTo(number);
          assertThat(served.get() - before).as("round %d", number).isLessThanOrEqualTo(16);
        }
      } finally {
        over.set(true);
        permits.release(1 << 20);
      }
      assertThat(asking.get()).isTrue();
    }
  }

  @Test
  void takesNothingForRequestsBehindOneThatEndsTheConnection() throws IOException {
    byte[] nine = new byte[512];
    Arrays.fill(nine, (byte) 9);
    byte[] tooLong = NbdTestClient.bytes(0x25609513, (short) 0, (short) WRITE, 1L, 0L, -1);
    byte[] payload = NbdTestClient.bytes(0x25609513, (short) 0, (short) WRITE, 2L, 0L, 512, nine);
    for (int round = 0; round < 100; round++) {
      gates.clear();
      CountDownLatch gate = gateAt(0);
      int before = entered.get();
      try (NbdTestClient client = server.connect().simple("disk")) {
        for (int i = 0; i < 8; i++) {
          client.request(0, READ, i, 0, 512);
        }
        Waiting.until("eight in the device", () -> entered.get() == before + 8);
        gate.countDown();
        for (int i = 0; i < 8; i++) {
          client.reply(512);
        }
        client.send(tooLong, payload); // seven threads wait to read what comes next
        Waiting.until("it is gone", () -> server.server().clients().isEmpty());
      }
      assertThat(entered.get()).as("calls of the device in round %d", round).isEqualTo(before + 8);
    }
    assertThat(disk.content()).containsOnly(0);
  }

  @Test
  void usesOneThreadForAClientThatAsksOneAtATime() throws IOException {
    try (NbdTestClient client = server.connect().simple("disk")) {
      for (int i = 0; i < 2000; i++) {
        client.read(4096L * (i % 100), 512);
      }
      assertThat(threads("blksnap-nbd-1-")).isBetween(1L, 2L);
    }
  }

  private static long threads(String prefix) {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith(prefix))
        .count();
  }

  @Test
  void keepsEveryClientsDataApart() throws Exception {
    try (var pool = Executors.newFixedThreadPool(8)) {
      var results = new ArrayList<Future<Boolean>>();
      for (int i = 0; i < 8; i++) {
        results.add(pool.submit(workload(i)));
      }
      for (Future<Boolean> result : results) {
        assertThat(result.get()).isTrue();
      }
    }
    assertThat(server.openedSessions()).isEqualTo(8);
  }

  /** Writes and reads its own 2 MiB through a connection of its own, several requests in flight. */
  private Callable<Boolean> workload(int number) {
    return () -> {
      var random = new Random(number);
      byte[] model = new byte[2 << 20];
      long base = (long) number * model.length;
      try (NbdTestClient client = server.connect().simple("disk")) {
        for (int round = 0; round < 60; round++) {
          int count = 1 + random.nextInt(12);
          for (int i = 0; i < count; i++) { // one stripe each: requests in flight must not overlap
            int length = 1 + random.nextInt(round % 10 == 0 ? 160_000 : 9000);
            int offset = i * 170_000 + random.nextInt(10_000);
            byte[] data = new byte[length];
            random.nextBytes(data);
            System.arraycopy(data, 0, model, offset, length);
            client.request(0, WRITE, i, base + offset, length, data);
          }
          for (int i = 0; i < count; i++) {
            assertThat(client.reply(0).error()).isZero();
          }
        }
        assertThat(client.read(base, model.length)).isEqualTo(model);
      }
      return true;
    };
  }

  @Test
  void disconnectsTheClientsOfOneExportOnlyAndWaitsForTheirSessions() throws Exception {
    server.with("other", disk);
    CountDownLatch gate = gateAt(0);
    try (NbdTestClient used = server.connect().simple("disk");
        NbdTestClient other = server.connect().simple("other");
        var pool = Executors.newSingleThreadExecutor()) {
      used.request(0, READ, 1, 0, 512);
      Waiting.until("the request is in the device", () -> entered.get() == 1);
      server.withdraw("disk");
      Future<Boolean> gone = pool.submit(() -> server.server().disconnect("disk"));
      assertThat(used.hungUp()).isTrue();
      assertThat(gone.isDone()).isFalse();
      assertThat(server.closedSessions()).isZero();
      gate.countDown();
      assertThat(gone.get()).isTrue();
      assertThat(server.closedSessions()).isEqualTo(1);
      assertThat(other.read(0, 1)).containsExactly(0);
    }
  }

  @Test
  void finishesWhatIsInFlightAndRefusesWhatComesLaterWhenItCloses() throws Exception {
    CountDownLatch gate = gateAt(0);
    try (NbdTestClient client = server.connect().simple("disk");
        NbdTestClient negotiating = server.connect().greet();
        var pool = Executors.newSingleThreadExecutor()) {
      client.request(0, WRITE, 1, 0, 2, (byte) 7, (byte) 8);
      Waiting.until("the request is in the device", () -> entered.get() == 1);
      Future<?> closed =
          pool.submit(() -> {
            server.server().close();
            return true;
          });
      assertThat(negotiating.hungUp()).isTrue(); // so it is closing
      assertThat(client.errorOf(0, READ, 4096, 512)).isEqualTo(108);
      assertThat(client.write(4096, new byte[100_000])).isEqualTo(108);
      gate.countDown();
      assertThat(client.reply(0).error()).isZero();
      assertThat(client.hungUp()).isTrue();
      closed.get();
      assertThat(disk.content()).startsWith(7, 8);
      assertThat(server.socket()).doesNotExist();
      assertThat(threads("blksnap-nbd-")).isZero();
      assertThat(server.server().clients()).isEmpty();
    }
  }

  @Test
  void leavesNoThreadWhateverItsClientsWereDoing() throws IOException {
    var clients = new ArrayList<NbdTestClient>(List.of(server.connect(), server.connect().greet()));
    for (int i = 0; i < 4; i++) {
      NbdTestClient client = server.connect().simple("disk");
      for (int j = 0; j < 30; j++) {
        client.request(0, READ, j, 4096L * j, 4096);
      }
      clients.add(client);
    }
    NbdTestClient half = server.connect().simple("disk");
    half.send(0x25609513, (short) 0, (short) WRITE, 1L, 0L, 100_000, new byte[50_000]);
    clients.add(half);
    server.server().close();
    assertThat(threads("blksnap-nbd-")).isZero();
    assertThat(server.closedSessions()).isEqualTo(5);
    for (NbdTestClient client : clients) {
      client.close();
    }
  }
}
