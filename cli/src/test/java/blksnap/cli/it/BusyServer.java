package blksnap.cli.it;

import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Stands before a server of HTTP and hands connections on, but tells every third one that there is
 * no time, and cuts every seventh one off. Closing it ends all of them.
 */
final class BusyServer implements Closeable {
  private static final byte[] BUSY =
      "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
          .getBytes(StandardCharsets.US_ASCII);

  private final InetSocketAddress server;
  private final ServerSocket listener;
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private final AtomicInteger connections = new AtomicInteger();
  private final AtomicInteger refused = new AtomicInteger();

  BusyServer(InetSocketAddress server) throws IOException {
    this.server = server;
    this.listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    Thread.ofPlatform().daemon().name("busy-server").start(this::acceptAll);
  }

  int port() {
    return listener.getLocalPort();
  }

  /** Connections that were not served. */
  int refused() {
    return refused.get();
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
    int number = connections.incrementAndGet();
    try (client) {
      if (number % 7 == 0) {
        refused.incrementAndGet();
      } else if (number % 3 == 0) {
        refused.incrementAndGet();
        skipRequest(client.getInputStream());
        client.getOutputStream().write(BUSY);
      } else {
        handOn(client);
      }
    } catch (IOException | InterruptedException _) {
      // one of them has gone
    } finally {
      open.remove(client);
    }
  }

  private void handOn(Socket client) throws IOException, InterruptedException {
    try (var upstream = new Socket()) {
      upstream.connect(server);
      open.add(upstream);
      Thread back = Thread.ofVirtual().start(() -> pump(upstream, client));
      pump(client, upstream);
      back.join();
      open.remove(upstream);
    }
  }

  private static void pump(Socket from, Socket to) {
    try {
      from.getInputStream().transferTo(to.getOutputStream());
      to.shutdownOutput();
    } catch (IOException _) {
      closeQuietly(from);
      closeQuietly(to);
    }
  }

  private static void closeQuietly(Socket socket) {
    try {
      socket.close();
    } catch (IOException _) {
      // it is gone
    }
  }

  /** Who still sends when the answer comes may never read it. */
  private static void skipRequest(InputStream raw) throws IOException {
    var in = new BufferedInputStream(raw);
    long body = 0;
    boolean waits = false;
    for (String line = line(in); !line.isEmpty(); line = line(in)) {
      String header = line.toLowerCase(Locale.ROOT);
      if (header.startsWith("content-length:")) {
        body = Long.parseLong(header.substring("content-length:".length()).strip());
      }
      waits |= header.startsWith("expect:");
    }
    if (!waits) {
      in.skipNBytes(body);
    }
  }

  private static String line(InputStream in) throws IOException {
    var line = new StringBuilder();
    for (int c = in.read(); c >= 0 && c != '\n'; c = in.read()) {
      line.append((char) c);
    }
    return line.toString().strip();
  }

  @Override
  public void close() throws IOException {
    listener.close();
    for (Socket socket : open) {
      socket.close();
    }
  }
}
