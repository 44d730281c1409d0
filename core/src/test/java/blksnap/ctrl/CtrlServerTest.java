package blksnap.ctrl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
final class CtrlServerTest {
  private static final String VERSION = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n";
  private static final String VERSION_REPLY =
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"version\":\"1.0.0.0\"}}";

  /** Long enough that a test which waits for its end fails by its timeout. */
  private static final long FOR_EVER_MILLIS = 3_600_000;

  /** Time for what must happen at once; less than the timeout, so that a failure has a name. */
  private static final long GRACE_MILLIS = 40_000;

  @TempDir private Path directory;

  private final FakeHandler handler = new FakeHandler();
  private final LogRing log = new LogRing();
  private Path path = Path.of("set before each test");
  private Optional<CtrlServer> server = Optional.empty();

  @BeforeEach
  void start() throws IOException {
    path = directory.resolve("ctrl.sock");
    start(CtrlLimits.DEFAULT);
  }

  private void start(CtrlLimits limits) throws IOException {
    close();
    server = Optional.of(CtrlServer.start(path, handler, log, limits));
  }

  @AfterEach
  void stop() throws IOException {
    handler.release.countDown();
    close();
    assertThat(ctrlThreads()).isEmpty();
    assertThat(directory).isEmptyDirectory();
  }

  private void close() throws IOException {
    if (server.isPresent()) {
      server.get().close();
    }
  }

  private static CtrlLimits closing(long replyMillis, long handlerMillis, long abortMillis) {
    long usual = GRACE_MILLIS;
    return new CtrlLimits(1, usual, usual, usual, replyMillis, handlerMillis, abortMillis);
  }

  private static CtrlLimits keeping(long firstRequestMillis, long idleMillis, long stallMillis) {
    long usual = GRACE_MILLIS;
    return new CtrlLimits(8, firstRequestMillis, idleMillis, stallMillis, usual, usual, usual);
  }

  private static List<String> ctrlThreads() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(name -> name.startsWith("ctrl-"))
        .toList();
  }

  @Test
  void answersRequestsInOrder() throws IOException {
    try (var client = new RawClient(path)) {
      client.send(1, new CtrlRequest.Version());
      client.send(2, new CtrlRequest.Cat("/a"));
      assertThat(client.read()).contains(VERSION_REPLY);
      assertThat(client.read())
          .contains("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"value\":\"/a\"}}");
    }
  }

  @Test
  void answersThousandsOfPipelinedRequestsInOrder() throws Exception {
    int count = 5_000;
    try (var client = new RawClient(path)) {
      Thread sender =
          Thread.ofPlatform()
              .start(() -> {
                try {
                  for (int i = 0; i < count; i++) {
                    client.send(i, new CtrlRequest.Cat("/" + i));
                  }
                } catch (IOException e) {
                  throw new AssertionError(e);
                }
              });
      for (int i = 0; i < count; i++) {
        assertThat(client.read())
            .contains(
                "{\"jsonrpc\":\"2.0\",\"id\":" + i + ",\"result\":{\"value\":\"/" + i + "\"}}");
      }
      sender.join();
    }
  }

  @Test
  void goesOnAfterALineThatIsNotJson() throws IOException {
    try (var client = new RawClient(path)) {
      client.send("nonsense\n" + VERSION);
      assertThat(client.read().orElseThrow()).contains("\"id\":null", "\"code\":-32700", "EBADMSG");
      assertThat(client.read()).contains(VERSION_REPLY);
    }
  }

  @Test
  void refusesALineOfVeryManyValuesAndGoesOn() throws IOException {
    try (var client = new RawClient(path)) {
      client.send("[" + "[],".repeat(300_000) + "[]]\n" + VERSION);
      assertThat(client.read().orElseThrow()).contains("-32700", "more than 100000 values");
      assertThat(client.read()).contains(VERSION_REPLY);
    }
  }

  @Test
  void goesOnAfterNulBytesAndInvalidUtf8() throws IOException {
    try (var client = new RawClient(path)) {
      client.send(new byte[] {0, 0, '\n', (byte) 0xFF, '\n'});
      client.send(VERSION);
      assertThat(client.read().orElseThrow()).contains("\"code\":-32700");
      assertThat(client.read().orElseThrow()).contains("\"code\":-32700");
      assertThat(client.read()).contains(VERSION_REPLY);
    }
  }

  @Test
  void takesTheLongestLineThereMayBe() throws IOException {
    try (var client = new RawClient(path)) {
      String padding = " ".repeat(CtrlCodec.MAX_REQUEST_BYTES - VERSION.length() + 1);
      client.send(padding + VERSION);
      assertThat(client.read()).contains(VERSION_REPLY);
    }
  }

  @Test
  void cutsAClientOffAfterALineThatIsTooLong() throws IOException {
    try (var client = new RawClient(path)) {
      client.send(VERSION + " ".repeat(CtrlCodec.MAX_REQUEST_BYTES + 1));
      assertThat(client.read()).contains(VERSION_REPLY);
      assertThat(client.read().orElseThrow())
          .contains("\"id\":null", "\"code\":-32700", "a line has more than 1048576 bytes");
      assertThat(client.read()).isEmpty();
    }
  }

  @Test
  void doesNotObeyALineWhoseEndNeverCame() throws IOException {
    try (var client = new RawClient(path)) {
      client.send(VERSION.strip());
      client.shutdownOutput();
      assertThat(client.read()).isEmpty();
    }
    assertThat(handler.seen).isEmpty();
  }

  @Test
  void answersWhatWasAskedBeforeTheClientStoppedSending() throws IOException {
    try (var client = new RawClient(path)) {
      client.send(VERSION + VERSION);
      client.shutdownOutput();
      assertThat(client.read()).contains(VERSION_REPLY);
      assertThat(client.read()).contains(VERSION_REPLY);
      assertThat(client.read()).isEmpty();
    }
  }

  @Test
  void doesNotWaitForAClientThatStoppedSending() throws IOException {
    try (var client = new RawClient(path)) {
      client.send(1, new CtrlRequest.SnapshotWait("s", FOR_EVER_MILLIS));
      client.shutdownOutput();
      assertThat(client.read().orElseThrow()).contains("\"errno\":\"ECANCELED\"");
    }
  }

  @Test
  void endsAWaitWhenTheClientHangsUp() throws Exception {
    try (var client = new RawClient(path)) {
      client.send(1, new CtrlRequest.SnapshotWait("s", FOR_EVER_MILLIS));
      handler.entered.await();
    }
    handler.interrupted.await();
    handler.post();
    assertThat(handler.events.await(0)).isPresent(); // nobody took it for a client that has gone
  }

  @Test
  void endsAWaitWhenTheClientHangsUpBehindRequestsOfItsOwn() throws Exception {
    try (var client = new RawClient(path)) {
      client.send(1, new CtrlRequest.SnapshotWait("s", FOR_EVER_MILLIS));
      client.send(VERSION.repeat(LineQueue.MAX_LINES - 1));
      handler.entered.await();
    }
    handler.interrupted.await();
    assertThat(handler.interrupted.getCount()).isZero();
  }

  @Test
  void doesNotInterruptOtherRequestsWhenTheClientHangsUp() throws Exception {
    try (var client = new RawClient(path)) {
      client.send(1, new CtrlRequest.Cat("/block"));
      handler.entered.await();
    }
    while (ctrlThreads().stream().anyMatch(name -> name.endsWith("-read"))) {
      Thread.onSpinWait(); // the reader ends when it has noticed
    }
    handler.release.countDown();
    close();
    assertThat(handler.interrupted.getCount()).isEqualTo(1);
  }

  @Test
  void sendsWhatTheHandlerRefused() throws IOException {
    try (var client = new RawClient(path)) {
      client.send(1, new CtrlRequest.Detach("vm1"));
      assertThat(client.read())
          .contains(
              "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":16,\"message\":\"vm1 is in use\","
                  + "\"data\":{\"errno\":\"EBUSY\",\"hint\":\"use --force\"}}}");
    }
  }

  @Test
  void goesOnAfterTheHandlerBroke() throws IOException {
    try (var client = new RawClient(path)) {
      client.send(1, new CtrlRequest.Cat("/runtime"));
      assertThat(client.read().orElseThrow())
          .contains("\"errno\":\"EIO\"", "internal error: ", "it broke");
      client.send(2, new CtrlRequest.Cat("/error"));
      assertThat(client.read().orElseThrow()).contains("\"errno\":\"EIO\"", "internal error: ");
      client.send(3, new CtrlRequest.Cat("/io"));
      assertThat(client.read().orElseThrow()).contains("\"errno\":\"EIO\"", "bad sector");
      client.send(VERSION);
      assertThat(client.read()).contains(VERSION_REPLY);
    }
    assertThat(log.since(0, LogRing.CAPACITY))
        .anyMatch(line -> line.text().contains("it broke"))
        .anyMatch(line -> line.text().startsWith("  at blksnap.ctrl.FakeHandler.cat"));
  }

  @Test
  void sendsProgressOnlyToAClientThatAsksForIt() throws IOException {
    try (var client = new RawClient(path)) {
      client.send(1, new CtrlRequest.SnapshotDestroy("s"));
      assertThat(client.read().orElseThrow()).contains("\"result\"");
      client.send(CtrlCodec.request(2, new CtrlRequest.SnapshotDestroy("s"), true));
      assertThat(client.read())
          .contains(
              "{\"jsonrpc\":\"2.0\",\"method\":\"progress\",\"params\":"
                  + "{\"id\":2,\"stage\":\"merge\",\"done\":1,\"total\":2}}");
      assertThat(client.read()).contains("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
    }
  }

  @Test
  void refusesOneClientMoreThanTheLimit() throws Exception {
    int limit = CtrlLimits.DEFAULT.connections();
    var clients = new ArrayList<RawClient>();
    try {
      for (int i = 0; i < limit; i++) {
        clients.add(new RawClient(path));
        clients.getLast().send(VERSION);
        assertThat(clients.getLast().read()).contains(VERSION_REPLY);
      }
      try (var refused = new RawClient(path)) {
        assertThat(refused.read().orElseThrow())
            .contains("\"id\":null", "\"errno\":\"EAGAIN\"", "64 clients are connected");
        assertThat(refused.read()).isEmpty();
      }
      clients.getLast().send(VERSION);
      assertThat(clients.getLast().read()).contains(VERSION_REPLY);
    } finally {
      for (RawClient client : clients) {
        client.close();
      }
    }
  }

  @Test
  void hasRoomAgainWhenAClientHasGone() throws IOException {
    start(closing(2_000, 30_000, 5_000));
    for (int i = 0; i < 20; i++) {
      while (!isServed()) {
        Thread.onSpinWait(); // the server notices that the one before has gone, in its own time
      }
    }
  }

  private boolean isServed() throws IOException {
    try (var client = new RawClient(path)) {
      client.send(VERSION);
      return client.read().orElseThrow().equals(VERSION_REPLY);
    } catch (IOException _) {
      return false; // refused and closed before our request was written
    }
  }

  @Test
  void cutsOffWhoSendsNoWholeRequest() throws IOException {
    start(keeping(100, GRACE_MILLIS, GRACE_MILLIS));
    try (var silent = new RawClient(path);
        var half = new RawClient(path)) {
      half.send("{\"half\":");
      assertThat(silent.read()).isEmpty();
      assertThat(half.read()).isEmpty();
    }
    assertThat(isServed()).isTrue();
  }

  @Test
  void cutsOffWhoIsIdleButNotWhoWaits() throws Exception {
    start(keeping(GRACE_MILLIS, 100, GRACE_MILLIS));
    try (var waiting = new RawClient(path);
        var idle = new RawClient(path)) {
      waiting.send(1, new CtrlRequest.SnapshotWait("s", FOR_EVER_MILLIS));
      handler.entered.await();
      idle.send(VERSION);
      assertThat(idle.read()).contains(VERSION_REPLY);
      assertThat(idle.read()).isEmpty();
      handler.post();
      assertThat(waiting.read().orElseThrow()).contains("no_space");
    }
  }

  @Test
  void cutsOffWhoLeavesAReplyUnread() throws Exception {
    start(keeping(GRACE_MILLIS, GRACE_MILLIS, 100));
    try (var deaf = new RawClient(path)) {
      deaf.send(1, new CtrlRequest.Cat("/large"));
      while (handler.seen.isEmpty()
          || ctrlThreads().stream().anyMatch(name -> name.matches("ctrl-[0-9].*"))) {
        Thread.onSpinWait();
      }
      assertThat(isServed()).isTrue();
    }
  }

  @Test
  void endsWaitsWhenItCloses() throws Exception {
    try (var client = new RawClient(path)) {
      client.send(1, new CtrlRequest.SnapshotWait("s", FOR_EVER_MILLIS));
      handler.entered.await();
      close();
      assertThat(client.read().orElseThrow()).contains("\"errno\":\"ESHUTDOWN\"");
      assertThat(client.read()).isEmpty();
    }
  }

  @Test
  void finishesTheReplyThatIsBeingMadeWhenItCloses() throws Exception {
    try (var client = new RawClient(path)) {
      client.send(1, new CtrlRequest.Cat("/block"));
      client.send(2, new CtrlRequest.Version());
      handler.entered.await();
      Thread closer = closeElsewhere();
      handler.release.countDown();
      assertThat(client.read().orElseThrow()).contains("\"value\":\"released\"");
      assertThat(client.read()).isEmpty();
      closer.join();
    }
    assertThat(handler.seen).hasSize(1);
  }

  @Test
  void finishesALargeReplyThatIsBeingWrittenWhenItCloses() throws Exception {
    start(closing(GRACE_MILLIS, GRACE_MILLIS, GRACE_MILLIS));
    try (var client = new RawClient(path)) {
      client.send(1, new CtrlRequest.Cat("/large"));
      while (handler.seen.isEmpty()) {
        Thread.onSpinWait();
      }
      Thread closer = closeElsewhere();
      assertThat(client.read().orElseThrow()).hasSizeGreaterThan(8 << 20);
      closer.join();
    }
  }

  @Test
  void cutsOffAClientThatDoesNotReadWhenItCloses() throws Exception {
    start(closing(50, GRACE_MILLIS, GRACE_MILLIS));
    try (var client = new RawClient(path)) {
      client.send(1, new CtrlRequest.Cat("/large"));
      while (handler.seen.isEmpty()) {
        Thread.onSpinWait();
      }
      close();
      assertThat(ctrlThreads()).isEmpty();
    }
  }

  @Test
  void interruptsARequestThatDoesNotEndWhenItCloses() throws Exception {
    start(closing(GRACE_MILLIS, 100, GRACE_MILLIS));
    try (var client = new RawClient(path)) {
      client.send(1, new CtrlRequest.Cat("/block"));
      handler.entered.await();
      close();
      handler.interrupted.await();
      assertThat(client.read().orElseThrow()).contains("\"errno\":\"ESHUTDOWN\"");
      assertThat(client.read()).isEmpty();
    }
  }

  @Test
  void closesWithClientsThatDoNothing() throws IOException {
    try (var client = new RawClient(path)) {
      client.send(VERSION + "{\"half\":");
      assertThat(client.read()).contains(VERSION_REPLY);
      close();
      assertThat(client.read()).isEmpty();
    }
  }

  @Test
  void closesTwiceAndWhileTheCallerIsInterrupted() throws IOException {
    Thread.currentThread().interrupt();
    close();
    assertThat(Thread.interrupted()).isTrue();
    assertThat(ctrlThreads()).isEmpty();
    close();
  }

  @Test
  void refusesToBeClosedByARequestItAnswers() throws IOException {
    var self = new CtrlServer[1];
    Path other = directory.resolve("other.sock");
    CtrlHandler closing =
        request -> {
          self[0].close();
          return new CtrlReply.Done();
        };
    try (CtrlServer second = CtrlServer.start(other, closing, log)) {
      self[0] = second;
      try (var client = new RawClient(other)) {
        client.send(VERSION);
        assertThat(client.read().orElseThrow()).contains("internal error: ", "close the server");
      }
    }
  }

  @Test
  void makesASocketThatOnlyItsOwnerMayUse() throws IOException {
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
        .isEqualTo("rw-------");
    try (var entries = Files.list(directory)) {
      assertThat(entries).containsExactly(path);
    }
  }

  @Test
  void refusesAPlaceWhereAnEngineAnswers() {
    assertErrno(Errno.EADDRINUSE, path);
    assertThat(path).exists();
  }

  @Test
  void takesThePlaceOfASocketThatNobodyListensAt() throws IOException {
    Path moved = directory.resolve("moved");
    Files.move(path, moved);
    close();
    Files.move(moved, path); // as if it had been killed
    start(CtrlLimits.DEFAULT);
    try (var client = new RawClient(path)) {
      client.send(VERSION);
      assertThat(client.read()).contains(VERSION_REPLY);
    }
  }

  @Test
  void leavesTheSocketOfAnotherServerAlone() throws IOException {
    Files.delete(path);
    try (CtrlServer _ = CtrlServer.start(path, handler, log)) {
      close();
      assertThat(path).exists();
      try (var client = new RawClient(path)) {
        client.send(VERSION);
        assertThat(client.read()).contains(VERSION_REPLY);
      }
    }
  }

  @Test
  void refusesToReplaceAnythingButASocket() throws IOException {
    Path file = Files.writeString(directory.resolve("file"), "precious");
    assertErrno(Errno.EEXIST, file);
    assertThat(file).hasContent("precious");
    Files.delete(file);
  }

  @Test
  void refusesAPlaceWithoutADirectory() {
    assertErrno(Errno.ENOENT, directory.resolve("none/ctrl.sock"));
  }

  @Test
  void refusesAPathThatIsTooLongForASocket() {
    assertErrno(Errno.ENAMETOOLONG, directory.resolve("x".repeat(CtrlSocket.MAX_PATH_BYTES)));
  }

  @Test
  void clearsUpWhatAKilledServerLeftBehind() throws IOException {
    close();
    Path nursery = Files.createDirectory(directory.resolve(".new"));
    Files.writeString(nursery.resolve("sock"), "");
    start(CtrlLimits.DEFAULT);
    assertThat(nursery).doesNotExist();
  }

  private void assertErrno(Errno errno, Path place) {
    assertThatThrownBy(() -> CtrlServer.start(place, handler, log).close())
        .isInstanceOfSatisfying(
            BlkSnapException.class, e -> assertThat(e.errno()).isEqualTo(errno));
  }

  /** A thread that closes the server, and by now has begun to. */
  private Thread closeElsewhere() throws InterruptedException {
    Thread closer =
        Thread.ofPlatform()
            .start(() -> {
              try {
                close();
              } catch (IOException e) {
                throw new AssertionError(e);
              }
            });
    while (Files.exists(path)) {
      TimeUnit.MILLISECONDS.sleep(1);
    }
    return closer;
  }
}
