package blksnap.cli.it;

import java.io.Closeable;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Many NBD clients in one thread, each with many requests of the largest size in flight. Some write
 * as fast as the server reads, some ask for data and never read it, some send a header and a little
 * and no more.
 */
final class Flood implements Closeable {
  /** What a client does, over and over. */
  enum Manner {
    WRITES,
    ASKS_AND_READS_NOTHING,
    STOPS_WITHIN_A_PAYLOAD
  }

  static final int PAYLOAD_BYTES = 32 << 20;
  static final int IN_FLIGHT = 64;

  private static final int LITTLE_BYTES = 1000;
  private static final int HEADER_BYTES = 28;

  private final ByteBuffer payload = ByteBuffer.allocateDirect(1 << 20);
  private final ByteBuffer sink = ByteBuffer.allocateDirect(64 << 10);
  private final Selector selector;
  private final List<Client> clients = new ArrayList<>();
  private final long deviceBytes;
  private final AtomicLong sentBytes = new AtomicLong();
  private final AtomicReference<Exception> failure = new AtomicReference<>();
  private final Thread thread;
  private volatile boolean ended;

  private final class Client {
    private final SocketChannel channel;
    private final Manner manner;
    private final ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).limit(0);
    private int requests;
    private int payloadLeft;
    private boolean silent;

    Client(SocketChannel channel, Manner manner) {
      this.channel = channel;
      this.manner = manner;
    }

    /** Sends as much as the socket takes. */
    void send() throws IOException {
      while (!silent) {
        if (!header.hasRemaining() && payloadLeft == 0) {
          next();
        }
        int count = header.hasRemaining() ? channel.write(header) : sendPayload();
        sentBytes.addAndGet(count);
        if (count == 0) {
          return;
        }
      }
    }

    private int sendPayload() throws IOException {
      payload.clear().limit(Math.min(payload.capacity(), payloadLeft));
      int count = channel.write(payload);
      payloadLeft -= count;
      silent = payloadLeft == 0 && manner == Manner.STOPS_WITHIN_A_PAYLOAD;
      return count;
    }

    private void next() {
      boolean read = manner == Manner.ASKS_AND_READS_NOTHING;
      if (read && requests == IN_FLIGHT) {
        silent = true;
        return;
      }
      long offset = (long) requests * PAYLOAD_BYTES % deviceBytes;
      header.clear();
      header.putInt(0x25609513).putShort((short) 0).putShort((short) (read ? 0 : 1));
      header.putLong(requests++).putLong(offset).putInt(PAYLOAD_BYTES).flip();
      payloadLeft =
          switch (manner) {
            case WRITES -> PAYLOAD_BYTES;
            case ASKS_AND_READS_NOTHING -> 0;
            case STOPS_WITHIN_A_PAYLOAD -> LITTLE_BYTES;
          };
    }
  }

  /**
   * Connects all of them; they begin with {@link #begin}.
   *
   * @param deviceBytes a multiple of {@link #PAYLOAD_BYTES}
   */
  Flood(Path socket, String export, long deviceBytes, int count) throws IOException {
    this.deviceBytes = deviceBytes;
    this.selector = Selector.open();
    this.thread = Thread.ofPlatform().daemon().name("flood").unstarted(this::run);
    for (int i = 0; i < count; i++) {
      Manner manner = Manner.values()[i % Manner.values().length];
      SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
      negotiate(channel, export);
      channel.configureBlocking(false);
      var client = new Client(channel, manner);
      clients.add(client);
      int interest =
          manner == Manner.ASKS_AND_READS_NOTHING
              ? SelectionKey.OP_WRITE
              : SelectionKey.OP_WRITE | SelectionKey.OP_READ;
      channel.register(selector, interest, client);
    }
  }

  private static void negotiate(SocketChannel channel, String export) throws IOException {
    receive(channel, 18);
    byte[] name = export.getBytes(StandardCharsets.UTF_8);
    ByteBuffer hello = ByteBuffer.allocate(4 + 8 + 4 + 4 + name.length);
    hello.putInt(3).putLong(0x49484156454F5054L).putInt(1).putInt(name.length).put(name).flip();
    while (hello.hasRemaining()) {
      channel.write(hello);
    }
    receive(channel, 10);
  }

  private static void receive(SocketChannel channel, int bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes);
    while (buffer.hasRemaining()) {
      if (channel.read(buffer) < 0) {
        throw new IOException("the server hung up within the handshake");
      }
    }
  }

  void begin() {
    thread.start();
  }

  private void run() {
    try {
      while (!ended) {
        selector.select();
        for (SelectionKey key : List.copyOf(selector.selectedKeys())) {
          serve(key);
        }
        selector.selectedKeys().clear();
      }
    } catch (IOException e) {
      failure.set(e);
    }
  }

  private void serve(SelectionKey key) throws IOException {
    Client client = (Client) key.attachment();
    if (key.isReadable() && client.channel.read(sink.clear()) < 0) {
      throw new IOException("the server hung up on a client that " + client.manner);
    }
    if (key.isWritable()) {
      client.send();
      if (client.silent) {
        key.interestOpsAnd(SelectionKey.OP_READ);
      }
    }
  }

  /** Sent by all of them so far. */
  long sentBytes() {
    return sentBytes.get();
  }

  /** Throws what ended the thread, if something has. */
  void check() throws Exception {
    if (failure.get() != null) {
      throw failure.get();
    }
  }

  @Override
  public void close() throws IOException {
    ended = true;
    selector.wakeup();
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    selector.close();
    for (Client client : clients) {
      client.channel.close();
    }
  }
}
