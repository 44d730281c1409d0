package blksnap.nbdclient;

import static blksnap.testing.Refusals.refused;
import static org.assertj.core.api.Assertions.assertThat;

import blksnap.error.Errno;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The client against a server that has only simple replies, and answers as a test says; that of
 * this program is met by the tests of backups.
 */
class NbdClientTest {
  private static final int SIZE = 1 << 16;

  @TempDir private Path directory;

  /** What a server does once the client is connected. */
  @FunctionalInterface
  private interface Talk {
    void with(SocketChannel channel) throws IOException;
  }

  private static ByteBuffer take(SocketChannel channel, int bytes) throws IOException {
    ByteBuffer taken = ByteBuffer.allocate(bytes);
    while (taken.hasRemaining() && channel.read(taken) >= 0) {
      // until all is there, or the client has gone
    }
    return taken.flip();
  }

  private static void send(SocketChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /** Negotiates as the oldest servers do that know GO. */
  private static void negotiate(SocketChannel channel) throws IOException {
    send(
        channel,
        ByteBuffer.allocate(18)
            .putLong(0x4e42444d41474943L)
            .putLong(0x49484156454F5054L)
            .putShort((short) 3)
            .flip());
    take(channel, 4);
    while (true) {
      ByteBuffer option = take(channel, 16);
      option.getLong();
      int number = option.getInt();
      take(channel, option.getInt());
      if (number == 7) {
        send(
            channel,
            ByteBuffer.allocate(52)
                .putLong(0x0003e889045565a9L)
                .putInt(7)
                .putInt(3)
                .putInt(12)
                .putShort((short) 0)
                .putLong(SIZE)
                .putShort((short) 1)
                .putLong(0x0003e889045565a9L)
                .putInt(7)
                .putInt(1)
                .putInt(0)
                .flip());
        return;
      }
      send(
          channel,
          ByteBuffer.allocate(20)
              .putLong(0x0003e889045565a9L)
              .putInt(number)
              .putInt(0x80000001)
              .putInt(0)
              .flip());
    }
  }

  /** Runs a client against a server that talks so after the negotiation. */
  private void serve(Talk talk, Use use) throws Exception {
    UnixDomainSocketAddress address = UnixDomainSocketAddress.of(directory.resolve("sock"));
    try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      server.bind(address);
      var done = new CompletableFuture<Boolean>();
      Thread thread =
          Thread.ofPlatform()
              .name("server")
              .start(() -> {
                try (SocketChannel channel = server.accept()) {
                  negotiate(channel);
                  talk.with(channel);
                  done.complete(true);
                } catch (IOException | RuntimeException e) {
                  done.completeExceptionally(e);
                }
              });
      try (NbdClient client = NbdClient.connect(new NbdAddress(address, "disk"))) {
        use.with(client);
      }
      thread.join();
      assertThat(done.get()).isTrue();
    }
  }

  /** What a test does with the client. */
  @FunctionalInterface
  private interface Use {
    void with(NbdClient client) throws IOException, ExecutionException;
  }

  private static void reply(SocketChannel channel, long cookie, int error, byte... data)
      throws IOException {
    send(
        channel,
        ByteBuffer.allocate(16 + data.length)
            .putInt(0x67446698)
            .putInt(error)
            .putLong(cookie)
            .put(data)
            .flip());
  }

  @Test
  void takesRepliesInAnyOrder() throws Exception {
    serve(
        channel -> {
          long first = take(channel, 28).getLong(8);
          long second = take(channel, 28).getLong(8);
          reply(channel, second, 0, (byte) 'b', (byte) 'c');
          reply(channel, first, 0, (byte) 'a');
          take(channel, 28);
        },
        client -> {
          ByteBuffer one = ByteBuffer.allocate(1);
          ByteBuffer two = ByteBuffer.allocate(2);
          client.readAll(List.of(new NbdClient.Read(0, one), new NbdClient.Read(7, two)));
          assertThat(one.array()).containsExactly('a');
          assertThat(two.array()).containsExactly('b', 'c');
        });
  }

  @Test
  void takesAllForDataWhereTheServerCannotTell() throws Exception {
    serve(
        channel -> take(channel, 28),
        client -> {
          assertThat(client.sizeBytes()).isEqualTo(SIZE);
          assertThat(client.knowsExtents()).isFalse();
          assertThat(client.extents(512, 1024)).containsExactly(new NbdClient.Extent(1024, false));
        });
  }

  @Test
  void namesTheErrorOfARead() throws Exception {
    serve(
        channel -> reply(channel, take(channel, 28).getLong(8), 5),
        client ->
            refused(
                Errno.EIO,
                () -> client.read(4096, ByteBuffer.allocate(512)),
                "read of 512 bytes at 4096 of disk failed"));
  }

  @Test
  void refusesAReplyToWhatWasNeverAsked() throws Exception {
    serve(
        channel -> reply(channel, take(channel, 28).getLong(8) + 1, 0),
        client ->
            refused(
                Errno.EPROTO,
                () -> client.read(0, ByteBuffer.allocate(512)),
                "the cookie of a reply"));
  }

  @Test
  void refusesAServerThatHangsUp() throws Exception {
    serve(
        channel -> take(channel, 28),
        client ->
            refused(Errno.EPROTO, () -> client.read(0, ByteBuffer.allocate(512)), "it hung up"));
  }

  @Test
  void saysThatNobodyAnswers() {
    refused(
        Errno.ECONNREFUSED,
        () ->
            NbdClient.connect(
                new NbdAddress(UnixDomainSocketAddress.of(directory.resolve("none")), "x")),
        "no NBD server answers");
  }
}
