package blksnap.ctrl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import blksnap.sector.SectorRange;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.CopyOnWriteArrayList;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(60)
final class CtrlClientTest {
  private static final CtrlRequest WAIT = new CtrlRequest.SnapshotWait("s", 3_600_000);

  @TempDir private Path directory;

  private final FakeHandler handler = new FakeHandler();
  private final List<AutoCloseable> opened = new ArrayList<>();

  private Path path = Path.of("set before each test");

  @BeforeEach
  void choosePath() {
    path = directory.resolve("ctrl.sock");
  }

  @AfterEach
  void closeAll() throws Exception {
    handler.release.countDown();
    for (AutoCloseable closeable : opened.reversed()) {
      closeable.close();
    }
  }

  private CtrlServer serve() throws IOException {
    CtrlServer server = CtrlServer.start(path, handler, new LogRing());
    opened.add(server);
    return server;
  }

  private CtrlClient connect() throws IOException {
    CtrlClient client = CtrlClient.connect(path);
    opened.add(client);
    return client;
  }

  @Test
  void getsReplies() throws Exception {
    serve();
    CtrlClient client = connect();
    assertThat(client.handle(new CtrlRequest.Version()))
        .isEqualTo(new CtrlReply.VersionInfo("1.0.0.0"));
    assertThat(client.handle(new CtrlRequest.Cat("/ü"))).isEqualTo(new CtrlReply.Value("/ü"));
  }

  @Test
  void getsALargeReply() throws Exception {
    serve();
    assertThat(connect().handle(new CtrlRequest.Cat("/large")))
        .isEqualTo(new CtrlReply.Value("x".repeat(8 << 20)));
  }

  @Test
  void throwsWhatTheEngineRefused() throws IOException {
    serve();
    CtrlClient client = connect();
    assertThatThrownBy(() -> client.handle(new CtrlRequest.Detach("vm1")))
        .isInstanceOfSatisfying(
            BlkSnapException.class,
            e -> {
              assertThat(e.errno()).isEqualTo(Errno.EBUSY);
              assertThat(e.sentence()).isEqualTo("vm1 is in use");
              assertThat(e.hint()).isEqualTo("use --force");
            });
  }

  @Test
  void goesOnAfterARefusal() throws Exception {
    serve();
    CtrlClient client = connect();
    assertErrno(Errno.EBUSY, () -> client.handle(new CtrlRequest.Detach("vm1")));
    assertThat(client.handle(new CtrlRequest.Version())).isInstanceOf(CtrlReply.VersionInfo.class);
  }

  @Test
  void hearsOfProgressWhenItListens() throws Exception {
    serve();
    CtrlClient client = connect();
    var heard = new ArrayList<CtrlProgress>();
    assertThat(client.handle(new CtrlRequest.SnapshotDestroy("s"), heard::add))
        .isEqualTo(new CtrlReply.Done());
    assertThat(heard).containsExactly(new CtrlProgress("merge", 1, OptionalLong.of(2)));
  }

  @Test
  void tracesEachLine() throws Exception {
    serve();
    var lines = new ArrayList<String>();
    try (CtrlClient client = CtrlClient.connect(path, lines::add)) {
      client.handle(new CtrlRequest.Version());
    }
    assertThat(lines)
        .containsExactly(
            "--> {\"jsonrpc\":\"2.0\",\"blksnap\":1,\"id\":1,\"method\":\"version\",\"params\":{}}",
            "<-- {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"version\":\"1.0.0.0\"}}");
  }

  @Test
  void letsManyThreadsTakeTurns() throws Exception {
    serve();
    CtrlClient client = connect();
    var wrong = new CopyOnWriteArrayList<Object>();
    var threads = new ArrayList<Thread>();
    for (int i = 0; i < 8; i++) {
      String text = "/" + i;
      threads.add(
          Thread.ofPlatform()
              .start(() -> {
                for (int n = 0; n < 50; n++) {
                  try {
                    CtrlReply reply = client.handle(new CtrlRequest.Cat(text));
                    if (!reply.equals(new CtrlReply.Value(text))) {
                      wrong.add(reply);
                    }
                  } catch (IOException | InterruptedException e) {
                    wrong.add(e);
                  }
                }
              }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(wrong).isEmpty();
    assertThat(handler.seen).hasSize(400);
  }

  @Test
  void saysThatNoEngineIsLoadedWhenThereIsNoSocket() {
    assertThatThrownBy(() -> CtrlClient.connect(path).close())
        .isInstanceOfSatisfying(
            BlkSnapException.class,
            e -> {
              assertThat(e.errno()).isEqualTo(Errno.ENOENT);
              assertThat(e).hasMessage("no engine is loaded (no answer at " + path + ")");
              assertThat(e.hint()).isEqualTo("blksnap load");
            });
  }

  @Test
  void saysThatNoEngineIsLoadedWhenNobodyListensAtTheSocket() throws IOException {
    try (var channel = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      channel.bind(UnixDomainSocketAddress.of(path));
    }
    assertThat(path).exists();
    assertThatThrownBy(() -> CtrlClient.connect(path).close())
        .isInstanceOfSatisfying(
            BlkSnapException.class,
            e -> {
              assertThat(e.errno()).isEqualTo(Errno.ECONNREFUSED);
              assertThat(e).hasMessage("no engine is loaded (no answer at " + path + ")");
            });
  }

  @Test
  void refusesAPathThatIsTooLongForASocket() {
    Path tooLong = directory.resolve("x".repeat(CtrlSocket.MAX_PATH_BYTES));
    assertErrno(Errno.ENAMETOOLONG, () -> CtrlClient.connect(tooLong).close());
  }

  @Test
  void saysWhenTheEngineWentAway() throws Exception {
    CtrlServer server = serve();
    CtrlClient client = connect();
    client.handle(new CtrlRequest.Version());
    server.close();
    assertThatThrownBy(() -> client.handle(new CtrlRequest.Version()))
        .isInstanceOfSatisfying(
            BlkSnapException.class,
            e -> {
              assertThat(e.errno()).isEqualTo(Errno.EPIPE);
              assertThat(e).hasMessageContaining("the engine went away");
            });
  }

  @Test
  void endsAWaitWhenItIsClosed() throws Exception {
    serve();
    CtrlClient client = connect();
    List<Throwable> thrown = Collections.synchronizedList(new ArrayList<>());
    Thread waiter =
        Thread.ofPlatform().start(() -> thrown.add(catchThrowable(() -> client.handle(WAIT))));
    handler.entered.await();
    client.close();
    waiter.join();
    assertThat(thrown)
        .singleElement()
        .isInstanceOfSatisfying(
            BlkSnapException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ECANCELED));
    handler.interrupted.await(); // and the engine does not wait on
  }

  @Test
  void learnsThatWhatItCancelledWasGivenUp() throws Exception {
    serve();
    CtrlClient client = connect();
    assertThat(client.cancel()).as("nothing is asked").isFalse();
    List<Throwable> thrown = Collections.synchronizedList(new ArrayList<>());
    Thread asker =
        Thread.ofPlatform()
            .start(() ->
                thrown.add(
                    catchThrowable(
                        () -> client.handle(new CtrlRequest.Cat("/cancel"), CtrlWatcher.PATIENT))));
    handler.entered.await();
    assertThat(client.cancel()).isTrue();
    asker.join();
    assertThat(thrown)
        .singleElement()
        .isInstanceOfSatisfying(
            BlkSnapException.class, e -> assertThat(e.sentence()).isEqualTo("it was given up"));
  }

  @Test
  void getsItsAnswerWhenWhatItCancelledCannotBeGivenUp() throws Exception {
    serve();
    CtrlClient client = connect();
    var answered = new ArrayList<CtrlReply>();
    Thread asker =
        Thread.ofPlatform()
            .start(() -> {
              Throwable none =
                  catchThrowable(() -> answered.add(client.handle(new CtrlRequest.Cat("/block"))));
              assertThat(none).isNull();
            });
    handler.entered.await();
    assertThat(client.cancel()).isTrue();
    handler.release.countDown();
    asker.join();
    assertThat(answered).containsExactly(new CtrlReply.Value("released"));
  }

  @Test
  void endsAWaitWhenItsThreadIsInterrupted() throws Exception {
    serve();
    CtrlClient client = connect();
    List<Throwable> thrown = Collections.synchronizedList(new ArrayList<>());
    Thread waiter =
        Thread.ofPlatform().start(() -> thrown.add(catchThrowable(() -> client.handle(WAIT))));
    handler.entered.await();
    waiter.interrupt();
    waiter.join();
    assertThat(thrown).singleElement().isInstanceOf(InterruptedException.class);
    handler.interrupted.await();
  }

  @Test
  void refusesToBeUsedWhenItIsClosed() throws IOException {
    serve();
    CtrlClient client = connect();
    client.close();
    client.close();
    assertErrno(Errno.EPIPE, () -> client.handle(new CtrlRequest.Version()));
  }

  @Test
  void refusesARequestThatIsTooLongBeforeItIsSent() throws Exception {
    serve();
    CtrlClient client = connect();
    var ranges = Collections.nCopies(100_000, new SectorRange(0, 1));
    assertErrno(Errno.EOVERFLOW, () -> client.handle(new CtrlRequest.CbtMark("vm1", ranges)));
    assertThat(client.handle(new CtrlRequest.Version())).isInstanceOf(CtrlReply.VersionInfo.class);
  }

  /** What an engine might send to our first request, and what becomes of it. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {"jsonrpc":"2.0","id":2,"result":{}} | EPROTO | request 1 got the answer of request 2
          nonsense | EBADMSG | the line is not JSON
          {"jsonrpc":"2.0","id":1,"result":{}} | EBADMSG | the field 'result.version' is missing
          {"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"go","data":{"errno":"EPERM"}}} | EPERM | go
          """)
  void judgesTheEnginesLine(String line, Errno errno, String sentence) throws IOException {
    ServerSocketChannel engine = listen();
    CtrlClient client = connect();
    try (SocketChannel accepted = engine.accept()) {
      new LineChannel(accepted, 0).write((line + "\n").getBytes(StandardCharsets.UTF_8));
      assertThatThrownBy(() -> client.handle(new CtrlRequest.Version()))
          .isInstanceOfSatisfying(
              BlkSnapException.class,
              e -> {
                assertThat(e.errno()).isEqualTo(errno);
                assertThat(e).hasMessageStartingWith(sentence);
              });
    }
  }

  @Test
  void readsWhyItWasTurnedAwayEvenWhenItCannotSendAnyMore() throws IOException {
    ServerSocketChannel engine = listen();
    CtrlClient client = connect();
    try (SocketChannel accepted = engine.accept()) {
      new LineChannel(accepted, 0)
          .write(
              ("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,\"message\":\"go away\","
                      + "\"data\":{\"errno\":\"EPERM\"}}}\n")
                  .getBytes(StandardCharsets.UTF_8));
    }
    assertErrno(Errno.EPERM, () -> client.handle(new CtrlRequest.Version()));
  }

  private ServerSocketChannel listen() throws IOException {
    ServerSocketChannel engine = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    opened.add(engine);
    engine.bind(UnixDomainSocketAddress.of(path));
    opened.add(() -> Files.deleteIfExists(path));
    return engine;
  }

  private static void assertErrno(Errno errno, ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(
            BlkSnapException.class, e -> assertThat(e.errno()).isEqualTo(errno));
  }
}
