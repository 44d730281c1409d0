package blksnap.cli.demo;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.Closeable;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * A small NBD client over a unix socket: fixed newstyle, GO, simple replies, one request at a time.
 * All integers are big-endian, as they are on the wire. One thread at a time.
 */
final class NbdClient implements ByteSource, Closeable {
  private static final long GREETING_MAGIC = 0x4e42444d41474943L;
  private static final long OPTION_MAGIC = 0x49484156454F5054L;
  private static final long OPTION_REPLY_MAGIC = 0x0003e889045565a9L;
  private static final int REQUEST_MAGIC = 0x25609513;
  private static final int REPLY_MAGIC = 0x67446698;

  private static final int FIXED_NEWSTYLE = 1;
  private static final int OPT_GO = 7;
  private static final int REP_ACK = 1;
  private static final int REP_INFO = 3;
  private static final int REP_ERROR_BIT = 1 << 31;
  private static final short INFO_EXPORT = 0;

  private static final short CMD_READ = 0;
  private static final short CMD_WRITE = 1;
  private static final short CMD_DISCONNECT = 2;
  private static final short CMD_FLUSH = 3;

  private static final int GREETING_BYTES = 18;
  private static final int OPTION_REPLY_BYTES = 20;
  private static final int EXPORT_INFO_BYTES = 12;
  private static final int REQUEST_BYTES = 28;
  private static final int REPLY_BYTES = 16;

  /** No reply to an option of ours is longer; a longer one is no NBD. */
  private static final int MAX_OPTION_REPLY_BYTES = 1 << 16;

  private final SocketChannel channel;
  private final String export;
  private final long sizeBytes;
  private final ByteBuffer header = ByteBuffer.allocateDirect(REQUEST_BYTES);
  private long cookie;

  private NbdClient(SocketChannel channel, String export) throws IOException {
    this.channel = channel;
    this.export = export;
    sizeBytes = negotiate();
  }

  /**
   * Connects to an export.
   *
   * @throws BlkSnapException {@code ENODEV} when there is no such export, {@code EPROTO} when the
   *     other end does not speak NBD
   */
  static NbdClient connect(Path socket, String export) throws IOException {
    SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    try {
      channel.connect(UnixDomainSocketAddress.of(socket));
      return new NbdClient(channel, export);
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  /** Size of the export. */
  long sizeBytes() {
    return sizeBytes;
  }

  private long negotiate() throws IOException {
    ByteBuffer greeting = receive(GREETING_BYTES);
    boolean speaksNbd = greeting.getLong() == GREETING_MAGIC && greeting.getLong() == OPTION_MAGIC;
    require(speaksNbd && (greeting.getShort() & FIXED_NEWSTYLE) != 0, "the greeting");

    byte[] name = export.getBytes(StandardCharsets.UTF_8);
    int optionBytes = Integer.BYTES + name.length + Short.BYTES;
    ByteBuffer go = ByteBuffer.allocate(Integer.BYTES + 16 + optionBytes);
    go.putInt(FIXED_NEWSTYLE).putLong(OPTION_MAGIC).putInt(OPT_GO).putInt(optionBytes);
    go.putInt(name.length).put(name).putShort((short) 0);
    send(go.flip());
    return exportSize();
  }

  /** Reads replies to GO until the one that ends it. */
  private long exportSize() throws IOException {
    long size = -1;
    while (true) {
      ByteBuffer head = receive(OPTION_REPLY_BYTES);
      require(head.getLong() == OPTION_REPLY_MAGIC && head.getInt() == OPT_GO, "a reply to GO");
      int type = head.getInt();
      int length = head.getInt();
      require(length >= 0 && length <= MAX_OPTION_REPLY_BYTES, "the length of a reply to GO");
      ByteBuffer payload = receive(length);
      if ((type & REP_ERROR_BIT) != 0) {
        String reason = StandardCharsets.UTF_8.decode(payload).toString();
        throw new BlkSnapException(Errno.ENODEV, "export " + export + " is refused: " + reason);
      }
      if (type == REP_ACK) {
        require(size >= 0, "the size of the export");
        return size;
      }
      if (type == REP_INFO && length == EXPORT_INFO_BYTES && payload.getShort() == INFO_EXPORT) {
        size = payload.getLong();
      }
    }
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    request(CMD_READ, offset, target.remaining());
    send(header);
    awaitReply("read", offset, target.remaining());
    while (target.hasRemaining()) {
      require(channel.read(target) >= 0, "the data of a read");
    }
  }

  /** Writes what remains in {@code source}; returns when the write has been answered. */
  void write(long offset, ByteBuffer source) throws IOException {
    int length = source.remaining();
    request(CMD_WRITE, offset, length);
    ByteBuffer[] both = {header, source};
    while (source.hasRemaining() || header.hasRemaining()) {
      channel.write(both);
    }
    awaitReply("write", offset, length);
  }

  /** Returns when everything that was answered is durable. */
  void flush() throws IOException {
    request(CMD_FLUSH, 0, 0);
    send(header);
    awaitReply("flush", 0, 0);
  }

  /** Says good-bye, if the other end still listens, and hangs up. */
  @Override
  public void close() throws IOException {
    try (channel) {
      if (channel.isOpen()) {
        request(CMD_DISCONNECT, 0, 0);
        send(header);
      }
    }
  }

  private void request(short type, long offset, int length) {
    cookie++;
    header.clear();
    header.putInt(REQUEST_MAGIC).putShort((short) 0).putShort(type);
    header.putLong(cookie).putLong(offset).putInt(length).flip();
  }

  private void awaitReply(String what, long offset, int length) throws IOException {
    ByteBuffer reply = receive(REPLY_BYTES);
    require(reply.getInt() == REPLY_MAGIC, "a reply");
    int error = reply.getInt();
    require(reply.getLong() == cookie, "the cookie of a reply");
    if (error != 0) {
      throw new BlkSnapException(
          Errno.of(error),
          what + " of " + length + " bytes at " + offset + " of " + export + " failed");
    }
  }

  private ByteBuffer receive(int length) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(length);
    while (bytes.hasRemaining()) {
      require(channel.read(bytes) >= 0, length + " more bytes");
    }
    return bytes.flip();
  }

  private void send(ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  private void require(boolean right, String what) throws BlkSnapException {
    if (!right) {
      throw new BlkSnapException(
          Errno.EPROTO, "the server of export " + export + " broke the protocol: " + what);
    }
  }
}
