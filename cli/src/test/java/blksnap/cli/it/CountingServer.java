package blksnap.cli.it;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Stands before a server and hands connections on, counts what is sent to it, and hands on no more
 * than it is told. Closing it ends all of them.
 */
final class CountingServer implements Closeable {
  private final InetSocketAddress server;
  private final ServerSocket listener;
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private final AtomicLong sent = new AtomicLong();
  private volatile long mostBytes = Long.MAX_VALUE;

  CountingServer(InetSocketAddress server) throws IOException {
    this.server = server;
    this.listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    Thread.ofPlatform().daemon().name("counting-server").start(this::acceptAll);
  }

  int port() {
    return listener.getLocalPort();
  }

  /** Bytes that were sent to the server. */
  long sent() {
    return sent.get();
  }

  /** Whether it does not hand anything on any more. */
  boolean stands() {
    return sent.get() >= mostBytes;
  }

  /** Hands no more on once so many bytes were sent since it was made. */
  void standAfter(long bytes) {
    mostBytes = bytes;
  }

  /** Hands everything on that comes over new connections. */
  void goOn() throws IOException {
    for (Socket socket : open) {
      socket.close();
    }
    mostBytes = Long.MAX_VALUE;
  }

  private void acceptAll() {
    while (true) {
      try {
        Socket client = listener.accept();
        open.add(client);
        Thread.ofVirtual().start(() -> serve(client));
      } catch (IOException _) {
        return; // it is closed
      }
    }
  }

  private void serve(Socket client) {
    try (client;
        var upstream = new Socket()) {
      upstream.connect(server);
      open.add(upstream);
      Thread back = Thread.ofVirtual().start(() -> handBack(upstream, client));
      handOn(client.getInputStream(), upstream.getOutputStream());
      upstream.shutdownOutput();
      back.join();
      open.remove(upstream);
    } catch (IOException | InterruptedException _) {
      // one of them has gone
    } finally {
      open.remove(client);
    }
  }

  private void handOn(InputStream from, OutputStream to) throws IOException {
    byte[] part = new byte[1 << 16];
    for (int count = from.read(part); count >= 0; count = from.read(part)) {
      while (stands()) {
        if (listener.isClosed()) {
          return;
        }
        Lab.pause(10);
      }
      to.write(part, 0, count);
      sent.addAndGet(count);
    }
  }

  private static void handBack(Socket from, Socket to) {
    try {
      from.getInputStream().transferTo(to.getOutputStream());
      to.shutdownOutput();
    } catch (IOException _) {
      // one of them has gone
    }
  }

  @Override
  public void close() throws IOException {
    listener.close();
    for (Socket socket : open) {
      socket.close();
    }
  }
}
