package blksnap.cli.it;

import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One NBD connection to one export. Safe from many threads; as many requests are in flight as
 * threads are in a call.
 */
final class NbdSession implements Closeable {
  /** The server answered with an error. */
  static final class Refused extends IOException {
    private static final long serialVersionUID = 1;
    private final int errno;

    Refused(int errno) {
      super("NBD error " + errno);
      this.errno = errno;
    }

    int errno() {
      return errno;
    }
  }

  static final int EIO = 5;
  static final int ESHUTDOWN = 108;

  private static final long MOST_SECONDS = 60;
  private static final int READ = 0;
  private static final int WRITE = 1;
  private static final int DISCONNECT = 2;
  private static final int FLUSH = 3;
  private static final int TRIM = 4;
  private static final int FUA = 1 << 16; // a flag before the type
  private static final int CHUNK = 1 << 20;

  private record Pending(int readBytes, CompletableFuture<byte[]> reply) {}

  private final SocketChannel channel;
  private final DataInputStream input;
  private final long sizeBytes;
  private final Thread reader;
  private final ReentrantLock sendLock = new ReentrantLock();
  private final Map<Long, Pending> pending = new ConcurrentHashMap<>();
  private final AtomicLong cookies = new AtomicLong();
  private volatile boolean ended;

  private NbdSession(SocketChannel channel, DataInputStream input, long sizeBytes) {
    this.channel = channel;
    this.input = input;
    this.sizeBytes = sizeBytes;
    this.reader = Thread.ofPlatform().daemon().name("nbd-session").unstarted(this::receive);
  }

  static NbdSession open(Path socket, String export) throws IOException {
    SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
    boolean open = false;
    try {
      var input = new DataInputStream(new BufferedInputStream(Channels.newInputStream(channel)));
      input.skipNBytes(16 + 2); // two magics and the flags of the server
      byte[] name = export.getBytes(StandardCharsets.UTF_8);
      ByteBuffer hello = ByteBuffer.allocate(4 + 8 + 4 + 4 + name.length);
      hello.putInt(3); // fixed newstyle, no zeroes
      hello.putLong(0x49484156454F5054L).putInt(1).putInt(name.length).put(name);
      writeAll(channel, hello.flip());
      long size = input.readLong();
      input.readUnsignedShort();
      var session = new NbdSession(channel, input, size);
      session.reader.start();
      open = true;
      return session;
    } finally {
      if (!open) {
        channel.close();
      }
    }
  }

  private static void writeAll(SocketChannel channel, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
  }

  long sizeBytes() {
    return sizeBytes;
  }

  byte[] read(long offset, int bytes) throws IOException {
    return request(READ, offset, bytes, ByteBuffer.allocate(0));
  }

  byte[] readAll() throws IOException {
    byte[] all = new byte[Math.toIntExact(sizeBytes)];
    for (int at = 0; at < all.length; at += CHUNK) {
      byte[] part = read(at, Math.min(CHUNK, all.length - at));
      System.arraycopy(part, 0, all, at, part.length);
    }
    return all;
  }

  /** Returns when it is acknowledged. */
  void write(long offset, byte[] content) throws IOException {
    for (int at = 0; at < content.length; at += CHUNK) {
      int bytes = Math.min(CHUNK, content.length - at);
      request(WRITE, offset + at, bytes, ByteBuffer.wrap(content, at, bytes));
    }
  }

  /** Returns when it is acknowledged, and durable. */
  void writeThrough(long offset, byte[] content) throws IOException {
    request(FUA | WRITE, offset, content.length, ByteBuffer.wrap(content));
  }

  void flush() throws IOException {
    request(FLUSH, 0, 0, ByteBuffer.allocate(0));
  }

  void trim(long offset, int bytes) throws IOException {
    request(TRIM, offset, bytes, ByteBuffer.allocate(0));
  }

  private byte[] request(int type, long offset, int bytes, ByteBuffer payload) throws IOException {
    long cookie = cookies.incrementAndGet();
    var reply = new CompletableFuture<byte[]>();
    pending.put(cookie, new Pending(type == READ ? bytes : 0, reply));
    if (ended) {
      throw new EOFException("the connection has ended");
    }
    send(type, cookie, offset, bytes, payload);
    try {
      return reply.get(MOST_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Refused refused) {
        throw new Refused(refused.errno());
      }
      throw new IOException("the connection broke", e);
    } catch (TimeoutException e) {
      throw new AssertionError("no reply within " + MOST_SECONDS + " s", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  private void send(int type, long cookie, long offset, int bytes, ByteBuffer payload)
      throws IOException {
    ByteBuffer message = ByteBuffer.allocate(28 + payload.remaining());
    message.putInt(0x25609513).putInt(type);
    message.putLong(cookie).putLong(offset).putInt(bytes).put(payload);
    sendLock.lock();
    try {
      writeAll(channel, message.flip());
    } finally {
      sendLock.unlock();
    }
  }

  private void receive() {
    try {
      while (true) {
        int magic = input.readInt();
        if (magic != 0x67446698) {
          throw new IOException("reply magic " + Integer.toHexString(magic));
        }
        int errno = input.readInt();
        Pending request = pending.remove(input.readLong());
        if (request == null) {
          throw new IOException("a reply that nobody waits for");
        }
        if (errno == 0) {
          byte[] content = new byte[request.readBytes];
          input.readFully(content);
          request.reply.complete(content);
        } else {
          request.reply.completeExceptionally(new Refused(errno));
        }
      }
    } catch (IOException e) {
      ended = true;
      pending.values().forEach(request -> request.reply.completeExceptionally(e));
    }
  }

  @Override
  public void close() throws IOException {
    try {
      send(DISCONNECT, 0, 0, 0, ByteBuffer.allocate(0));
    } catch (IOException e) {
      ended = true; // the server was faster
    }
    channel.close();
    try {
      reader.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
