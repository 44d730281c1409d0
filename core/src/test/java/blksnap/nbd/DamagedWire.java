package blksnap.nbd;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Random;

/**
 * Stands between one client and a server, and does a single damage to what the client sends, at
 * some byte behind STARTTLS. When nobody says anything more after that, it hangs up on both.
 */
final class DamagedWire implements AutoCloseable {
  /** Flags and STARTTLS: they come through whole. */
  private static final int PLAIN_BYTES = 20;

  /** A handshake with a certificate and some requests are about as long. */
  private static final int REACH_BYTES = 6000;

  private static final long SILENCE_MILLIS = 30;

  private final ServerSocketChannel door = ServerSocketChannel.open();
  private final InetSocketAddress server;
  private final Random random;
  private final int at;
  private final Damage damage;
  private final Thread thread;
  private final ByteBuffer portion = ByteBuffer.allocate(64 << 10);
  private int passed;
  private volatile boolean done;

  /** What is done. */
  private enum Damage {
    A_BIT_IS_OTHER,
    BYTES_COME_IN_BETWEEN,
    A_RECORD_COMES_IN_BETWEEN,
    BYTES_ARE_MISSING,
    BYTES_COME_TWICE,
    THE_REST_IS_NOISE,
    IT_ENDS
  }

  DamagedWire(InetSocketAddress server, Random random) throws IOException {
    this.server = server;
    this.random = random;
    this.at = PLAIN_BYTES + random.nextInt(REACH_BYTES);
    this.damage = Damage.values()[random.nextInt(Damage.values().length)];
    door.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    thread = Thread.ofPlatform().name("damaged-wire").start(this::carry);
  }

  InetSocketAddress address() throws IOException {
    return (InetSocketAddress) door.getLocalAddress();
  }

  /** What was done; empty while the client has not sent enough. */
  String damage() {
    return done ? damage + " at byte " + at : "";
  }

  private void carry() {
    try (SocketChannel client = door.accept();
        SocketChannel there = SocketChannel.open(server);
        Selector selector = Selector.open()) {
      client.configureBlocking(false).register(selector, SelectionKey.OP_READ);
      there.configureBlocking(false).register(selector, SelectionKey.OP_READ);
      while (selector.select(done ? SILENCE_MILLIS : 0) > 0) {
        selector.selectedKeys().clear();
        if (!forward(there, client, false) || !forward(client, there, true)) {
          return;
        }
      }
    } catch (IOException ended) {
      // One of them hung up, or the test has.
    }
  }

  /** False at the end. */
  private boolean forward(SocketChannel from, SocketChannel to, boolean damaged)
      throws IOException {
    int count = from.read(portion.clear());
    if (count < 0) {
      return false;
    }
    portion.flip();
    if (!damaged || done || passed + count <= at) {
      passed += damaged ? count : 0;
      return send(to, portion);
    }
    int before = at - passed;
    ByteBuffer rest = portion.slice(before, count - before);
    send(to, portion.limit(before));
    done = true;
    return switch (damage) {
      case A_BIT_IS_OTHER -> {
        rest.put(0, (byte) (rest.get(0) ^ (1 << random.nextInt(8))));
        yield send(to, rest);
      }
      case BYTES_COME_IN_BETWEEN -> send(to, noise(1 + random.nextInt(40))) && send(to, rest);
      case A_RECORD_COMES_IN_BETWEEN -> {
        ByteBuffer record = noise(5 + random.nextInt(300));
        record.put(0, (byte) (20 + random.nextInt(5))).put(1, (byte) 3).put(2, (byte) 3);
        record.putShort(3, (short) (record.limit() - 5));
        yield send(to, record) && send(to, rest);
      }
      case BYTES_ARE_MISSING ->
          send(to, rest.position(Math.min(rest.limit(), 1 + random.nextInt(40))));
      case BYTES_COME_TWICE -> send(to, rest.duplicate()) && send(to, rest);
      case THE_REST_IS_NOISE -> send(to, noise(rest.remaining()));
      case IT_ENDS -> false;
    };
  }

  private ByteBuffer noise(int count) {
    byte[] bytes = new byte[count];
    random.nextBytes(bytes);
    return ByteBuffer.wrap(bytes);
  }

  private static boolean send(SocketChannel to, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      to.write(bytes);
    }
    return true;
  }

  @Override
  public void close() throws IOException {
    door.close();
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new AssertionError("nobody interrupts a test", e);
    }
  }
}
