package blksnap.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import blksnap.buffer.BufferPool;
import blksnap.device.BlockDevice;
import blksnap.engine.EngineConfig;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import blksnap.nbd.ExportTable;
import blksnap.nbd.NbdConfig;
import blksnap.nbd.NbdServer;
import blksnap.testing.Bytes;
import blksnap.testing.MemoryDevice;
import blksnap.testing.TestEngine;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Hostile sessions on the NBD socket of an engine, beside a client that minds its own business. */
@Timeout(600)
class NbdFuzzTest {
  private static final int ENGINE_CASES = 150;
  private static final int POOL_CASES = 100;
  private static final int CASES_A_BATCH = 10;

  @TempDir(factory = InMemory.class)
  Path directory;

  private static final Pattern SERVING = Pattern.compile("blksnap-nbd-(\\d+)-\\d+");

  private final Map<String, byte[]> models = new HashMap<>();

  /** The connections of this test itself. */
  private Set<String> own = Set.of();

  @Test
  void answersEachRequestOnceAndChangesNothingElse() throws IOException {
    var run = FuzzRun.ofCases(ENGINE_CASES);
    List<LogRing.Line> log = new CopyOnWriteArrayList<>();
    var config =
        new EngineConfig(
            directory.resolve("run"),
            directory.resolve("state"),
            TestEngine.SMALL,
            false,
            OptionalInt.empty(),
            log::add);
    Path socket = directory.resolve("run/nbd.sock");
    int answered = 0;
    long began = System.nanoTime();
    try (var engine = new TestEngine(directory, config)) {
      attachAll(engine);
      try (var bystander = new Bystander(socket, "calm")) {
        for (String export : models.keySet()) {
          engine.client(export);
        }
        bystander.awaitProgress("it begins");
        own = connections();
        for (int number : run.cases().toArray()) {
          String story = run.repeat(number);
          NbdReferee referee = hostileSession(socket, run.random(number), story);
          answered += referee.answered();
          for (Map.Entry<String, byte[]> model : models.entrySet()) {
            byte[] now = engine.read(model.getKey(), 0, NbdTalk.SIZE);
            if (model.getKey().equals(referee.export())) {
              referee.judgeContent(now);
            } else {
              assertThat(now)
                  .as("%s: %s is untouched", story, model.getKey())
                  .isEqualTo(model.getValue());
            }
          }
          if (number % CASES_A_BATCH == 0) {
            bystander.awaitProgress(story);
          }
        }
        bystander.awaitProgress(run.seeds().toString());
        System.out.println(run.rate("nbd", System.nanoTime() - began));
        System.out.println(bystander.report() + "; " + answered + " hostile requests answered");
        assertThat(answered)
            .as("some sessions come to requests")
            .isGreaterThanOrEqualTo(run.count() / 10);
      }
    }
    assertThat(log)
        .as(run.seeds().toString())
        .noneMatch(line -> line.level() == LogRing.Level.ERROR || line.text().contains("internal"));
  }

  @Test
  void givesEveryBufferBack() throws IOException {
    var run = FuzzRun.ofCases(POOL_CASES);
    var disk = MemoryDevice.ofSize(NbdTalk.SIZE);
    var ro = MemoryDevice.readOnly(Bytes.pattern(2, 0, NbdTalk.SIZE));
    var pool = new BufferPool(128L << 20, () -> 4);
    models.put("disk", disk.content());
    models.put("disk@snap", disk.content());
    models.put("ro", ro.content());
    Path socket = directory.resolve("nbd.sock");
    var exports = new Devices(Map.of("disk", disk, "disk@snap", disk, "ro", ro));
    long began = System.nanoTime();
    try (NbdServer server = NbdServer.start(NbdConfig.unix(socket), exports, pool, new LogRing())) {
      for (int number : run.cases().toArray()) {
        String story = run.repeat(number);
        NbdReferee referee = hostileSession(socket, run.random(number), story);
        if (!referee.export().isEmpty()) {
          byte[] now = (referee.export().equals("ro") ? ro : disk).content();
          referee.judgeContent(now);
          if (!referee.export().equals("ro")) {
            models.put("disk", now);
            models.put("disk@snap", now.clone());
          }
        }
        assertThat(pool.lentBytes()).as(story).isZero();
        assertThat(exports.open.get()).as(story).isZero();
      }
      assertThat(server.clients()).isEmpty();
    }
    assertThat(connections()).as(run.seeds().toString()).isEmpty();
    System.out.println(run.rate("nbd buffers", System.nanoTime() - began));
  }

  /** Devices as exports, and how many are in use. */
  private record Devices(Map<String, MemoryDevice> devices, AtomicInteger open)
      implements ExportTable {
    Devices(Map<String, MemoryDevice> devices) {
      this(devices, new AtomicInteger());
    }

    @Override
    public List<Export> list() {
      return devices.keySet().stream().flatMap(name -> find(name).stream()).toList();
    }

    @Override
    public Optional<Export> find(String name) {
      return Optional.ofNullable(devices.get(name))
          .map(device -> new Export(name, "", device.sizeBytes(), device.readOnly()));
    }

    @Override
    public Session open(String name, String peer) throws IOException {
      MemoryDevice device = devices.get(name);
      if (device == null) {
        throw new BlkSnapException(Errno.ENOENT, "no export " + name);
      }
      open.incrementAndGet();
      return new Session() {
        @Override
        public BlockDevice device() {
          return device;
        }

        @Override
        public void close() {
          open.decrementAndGet();
        }
      };
    }
  }

  private void attachAll(TestEngine engine) throws IOException {
    engine.attach("calm", new byte[NbdTalk.SIZE]);
    byte[] disk = Bytes.pattern(1, 0, NbdTalk.SIZE);
    engine.attach("disk", disk);
    Path ro = Files.write(directory.resolve("ro.img"), Bytes.pattern(2, 0, NbdTalk.SIZE));
    engine.attach("ro", ro, true);
    engine.take("snap", "disk");
    models.put("disk", disk.clone());
    models.put("disk@snap", disk.clone());
    models.put("ro", Files.readAllBytes(ro));
  }

  /** Sends one mutated session, hears it or hangs up, and judges what came back. */
  private NbdReferee hostileSession(Path socket, Random random, String story) throws IOException {
    byte[] talk = new NbdTalk(random).bytes();
    boolean hear = random.nextInt(5) != 0;
    var heard = new ByteArrayOutputStream();
    Thread listener;
    try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
      listener = new Thread(() -> listen(channel, heard), "fuzz-listener");
      listener.start(); // always, or the server would have nobody to write to and stop reading
      send(channel, talk, random);
      if (hear) {
        try {
          channel.shutdownOutput();
        } catch (IOException hungUp) { // by the server, before all was sent
          assertThat(hungUp).as(story).isNotNull();
        }
        join(listener);
      }
    }
    join(listener);
    var referee = new NbdReferee(story, talk, heard.toByteArray(), hear, models, Set.of("ro"));
    referee.judge();
    awaitSettled(socket);
    return referee;
  }

  /** Returns once nothing of an earlier hostile session goes on. */
  private void awaitSettled(Path socket) throws IOException {
    try (SocketChannel probe = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
      ByteBuffer greeting = ByteBuffer.allocate(18); // whoever came before has been accepted by now
      while (greeting.hasRemaining() && probe.read(greeting) >= 0) {}
    }
    while (!own.containsAll(connections())) {
      LockSupport.parkNanos(50_000);
    }
  }

  /** The numbers of the connections that have a thread. */
  private static Set<String> connections() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(thread -> SERVING.matcher(thread.getName()))
        .filter(Matcher::matches)
        .map(matcher -> matcher.group(1))
        .collect(Collectors.toSet());
  }

  private static void send(SocketChannel channel, byte[] talk, Random random) {
    int at = 0;
    try {
      while (at < talk.length) {
        int step = random.nextInt(3) == 0 ? 1 + random.nextInt(40) : talk.length;
        int end = Math.min(talk.length, at + step);
        ByteBuffer piece = ByteBuffer.wrap(talk, at, end - at);
        while (piece.hasRemaining()) {
          channel.write(piece);
        }
        at = end;
      }
    } catch (IOException hungUp) {
      // The server need not read on after what is no request.
    }
  }

  private static void listen(SocketChannel channel, ByteArrayOutputStream heard) {
    ByteBuffer portion = ByteBuffer.allocate(64 << 10);
    try {
      while (channel.read(portion) >= 0) {
        heard.write(portion.array(), 0, portion.position());
        portion.clear();
      }
    } catch (IOException reset) {
      // Closed with something of ours unread: the same as an end.
    }
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new AssertionError("nobody interrupts a test", e);
    }
  }
}
