package blksnap.nbdclient;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * One connection to an export: fixed newstyle, structured replies and {@code base:allocation} where
 * the server has them, several requests in flight. All integers are big-endian, as they are on the
 * wire. A read that fails ends the connection. One thread at a time.
 */
public final class NbdClient implements Closeable {
  /** Most requests of one call that are in flight. */
  public static final int MAX_IN_FLIGHT = 16;

  /** Largest payload that every server takes, bytes. */
  public static final int MAX_PAYLOAD_BYTES = 32 << 20;

  private static final long GREETING_MAGIC = 0x4e42444d41474943L;
  private static final long OPTION_MAGIC = 0x49484156454F5054L;
  private static final long OPTION_REPLY_MAGIC = 0x0003e889045565a9L;
  private static final int REQUEST_MAGIC = 0x25609513;
  private static final int SIMPLE_MAGIC = 0x67446698;
  private static final int CHUNK_MAGIC = 0x668e33ef;

  /** Most that is received ahead: the replies to a few small requests, in one call. */
  private static final int RECEIVED_BYTES = 64 << 10;

  private static final int FIXED_NEWSTYLE = 1;
  private static final int NO_ZEROES = 2;
  private static final int OPT_GO = 7;
  private static final int OPT_STRUCTURED_REPLY = 8;
  private static final int OPT_SET_META_CONTEXT = 10;
  private static final int REP_ACK = 1;
  private static final int REP_INFO = 3;
  private static final int REP_META_CONTEXT = 4;
  private static final int REP_ERROR_BIT = 1 << 31;
  private static final int ERR_UNKNOWN = REP_ERROR_BIT | 6;
  private static final short INFO_EXPORT = 0;
  private static final String ALLOCATION = "base:allocation";

  private static final int FLAG_READ_ONLY = 1 << 1;
  private static final int FLAG_SEND_FLUSH = 1 << 2;
  private static final int FLAG_SEND_WRITE_ZEROES = 1 << 6;
  private static final int FLAG_CAN_MULTI_CONN = 1 << 8;

  private static final short CMD_READ = 0;
  private static final short CMD_WRITE = 1;
  private static final short CMD_DISCONNECT = 2;
  private static final short CMD_FLUSH = 3;
  private static final short CMD_WRITE_ZEROES = 6;
  private static final short CMD_BLOCK_STATUS = 7;

  private static final int CHUNK_DONE = 1;
  private static final int CHUNK_NONE = 0;
  private static final int CHUNK_DATA = 1;
  private static final int CHUNK_HOLE = 2;
  private static final int CHUNK_STATUS = 5;
  private static final int CHUNK_ERROR_BIT = 1 << 15;

  private static final int STATE_ZERO = 2;

  private static final int GREETING_BYTES = 18;
  private static final int OPTION_REPLY_BYTES = 20;
  private static final int EXPORT_INFO_BYTES = 12;
  private static final int REQUEST_BYTES = 28;

  /** No reply to an option of ours, and no list of extents, is longer; a longer one is no NBD. */
  private static final int MAX_REPLY_BYTES = 1 << 20;

  /** Most bytes of one request that carries none of them. */
  private static final long MAX_RANGE_BYTES = 1L << 30;

  /** Bytes of zeroes that are sent at a time to a server that has no command for them. */
  private static final int ZEROES_BYTES = 1 << 20;

  private static final int SOCKET_BUFFER_BYTES = 1 << 20;

  private final SocketChannel channel;
  private final NbdAddress address;
  private final ByteBuffer requests = ByteBuffer.allocateDirect(REQUEST_BYTES * MAX_IN_FLIGHT);
  private final ByteBuffer small = ByteBuffer.allocateDirect(64);

  /** What the server has sent and nobody has asked for yet, from its position to its limit. */
  private final ByteBuffer received = ByteBuffer.allocateDirect(RECEIVED_BYTES).limit(0);

  private long sizeBytes;
  private int flags;
  private boolean structured;
  private int allocationId = -1;
  private long cookie;

  /**
   * A part of the export and where it goes.
   *
   * @param target filled from its position to its limit, which stay where they are
   */
  public record Read(long offset, ByteBuffer target) {}

  /**
   * A run of the export.
   *
   * @param length bytes, positive
   * @param zero known to read as zeroes
   */
  public record Extent(long length, boolean zero) {}

  private NbdClient(SocketChannel channel, NbdAddress address) throws IOException {
    this.channel = channel;
    this.address = address;
    negotiate();
  }

  /**
   * Connects to an export.
   *
   * @throws BlkSnapException {@code ENODEV} when there is no such export, {@code EBUSY} when it is
   *     refused, {@code EPROTO} when the other end does not speak NBD, {@code ECONNREFUSED} when
   *     nobody answers
   */
  public static NbdClient connect(NbdAddress address) throws IOException {
    SocketChannel channel;
    try {
      channel = SocketChannel.open(address.server());
    } catch (IOException | RuntimeException e) { // an address that cannot be resolved is the latter
      throw new BlkSnapException(
          Errno.ECONNREFUSED, "no NBD server answers at " + address.server() + ": " + e, e);
    }
    try {
      if (address.server() instanceof InetSocketAddress) {
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
      }
      channel.setOption(StandardSocketOptions.SO_SNDBUF, SOCKET_BUFFER_BYTES);
      channel.setOption(StandardSocketOptions.SO_RCVBUF, SOCKET_BUFFER_BYTES);
      return new NbdClient(channel, address);
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  public NbdAddress address() {
    return address;
  }

  /** Size of the export, bytes. */
  public long sizeBytes() {
    return sizeBytes;
  }

  public boolean readOnly() {
    return (flags & FLAG_READ_ONLY) != 0;
  }

  /** Whether several connections see each other's flushes. */
  public boolean canMultiConn() {
    return (flags & FLAG_CAN_MULTI_CONN) != 0;
  }

  /** Whether {@link #extents} can tell zeroes from data. */
  public boolean knowsExtents() {
    return allocationId >= 0;
  }

  // Negotiation.

  private void negotiate() throws IOException {
    ByteBuffer greeting = receive(GREETING_BYTES);
    boolean speaksNbd = greeting.getLong() == GREETING_MAGIC && greeting.getLong() == OPTION_MAGIC;
    int offered = greeting.getShort();
    require(speaksNbd && (offered & FIXED_NEWSTYLE) != 0, "the greeting");
    send(ByteBuffer.allocate(4).putInt(offered & (FIXED_NEWSTYLE | NO_ZEROES)).flip());

    byte[] name = address.export().getBytes(StandardCharsets.UTF_8);
    structured = option(OPT_STRUCTURED_REPLY, ByteBuffer.allocate(0));
    if (structured) {
      byte[] context = ALLOCATION.getBytes(StandardCharsets.UTF_8);
      ByteBuffer query = ByteBuffer.allocate(12 + name.length + context.length);
      query.putInt(name.length).put(name).putInt(1).putInt(context.length).put(context);
      option(OPT_SET_META_CONTEXT, query.flip());
    }
    sizeBytes = -1;
    ByteBuffer go = ByteBuffer.allocate(6 + name.length);
    go.putInt(name.length).put(name).putShort((short) 0);
    require(option(OPT_GO, go.flip()) && sizeBytes >= 0, "the size of the export");
  }

  /** Whether the server has the option; GO is refused by an exception. */
  private boolean option(int option, ByteBuffer data) throws IOException {
    ByteBuffer request = ByteBuffer.allocate(16 + data.remaining());
    request.putLong(OPTION_MAGIC).putInt(option).putInt(data.remaining()).put(data);
    send(request.flip());
    while (true) {
      ByteBuffer head = receive(OPTION_REPLY_BYTES);
      require(
          head.getLong() == OPTION_REPLY_MAGIC && head.getInt() == option, "a reply to an option");
      int type = head.getInt();
      int length = head.getInt();
      require(length >= 0 && length <= MAX_REPLY_BYTES, "the length of a reply to an option");
      ByteBuffer payload = receive(length);
      if ((type & REP_ERROR_BIT) != 0) {
        if (option == OPT_GO) {
          throw refused(type, StandardCharsets.UTF_8.decode(payload).toString());
        }
        return false;
      }
      switch (type) {
        case REP_ACK -> {
          return true;
        }
        case REP_INFO -> {
          if (length == EXPORT_INFO_BYTES && payload.getShort() == INFO_EXPORT) {
            sizeBytes = payload.getLong();
            flags = payload.getShort();
          }
        }
        case REP_META_CONTEXT -> {
          require(length > Integer.BYTES, "a metadata context");
          allocationId = payload.getInt();
        }
        default -> {} // information that we did not ask for
      }
    }
  }

  private BlkSnapException refused(int type, String reason) {
    return new BlkSnapException(
        type == ERR_UNKNOWN ? Errno.ENODEV : Errno.EBUSY,
        "export '" + address.export() + "' is refused: " + reason);
  }

  // Requests.

  /** Fills {@code target} from its position to its limit. */
  public void read(long offset, ByteBuffer target) throws IOException {
    readAll(List.of(new Read(offset, target.duplicate())));
    target.position(target.limit());
  }

  /** Reads all parts, up to {@link #MAX_IN_FLIGHT} at a time. */
  public void readAll(List<Read> reads) throws IOException {
    for (int from = 0; from < reads.size(); from += MAX_IN_FLIGHT) {
      readSome(reads.subList(from, Math.min(reads.size(), from + MAX_IN_FLIGHT)));
    }
  }

  private void readSome(List<Read> reads) throws IOException {
    requests.clear();
    long first = cookie;
    for (Read read : reads) {
      put(CMD_READ, read.offset, read.target.remaining());
    }
    boolean whole = false;
    try {
      send(requests.flip());
      for (int open = reads.size(); open > 0; ) {
        open -= takeReply(first, reads) ? 1 : 0;
      }
      whole = true;
    } finally {
      if (!whole) {
        channel.close(); // replies of the others would be taken for those of the next call
      }
    }
  }

  /** Takes one message; whether it was the last one of its request. */
  private boolean takeReply(long first, List<Read> reads) throws IOException {
    ByteBuffer magic = receiveSmall(4);
    if (magic.getInt() == SIMPLE_MAGIC) {
      ByteBuffer rest = receiveSmall(12);
      int error = rest.getInt();
      Read read = readOf(rest.getLong(), first, reads);
      if (error != 0) {
        throw failed("read", error, read.offset, read.target.remaining(), "");
      }
      receiveInto(read.target.duplicate());
      return true;
    }
    require(magic.getInt(0) == CHUNK_MAGIC, "a reply");
    ByteBuffer rest = receiveSmall(16);
    int chunkFlags = rest.getShort();
    int type = Short.toUnsignedInt(rest.getShort());
    Read read = readOf(rest.getLong(), first, reads);
    int length = rest.getInt();
    switch (type) {
      case CHUNK_NONE -> require(length == 0, "an empty chunk");
      case CHUNK_DATA -> {
        require(length > 8, "a chunk of data");
        ByteBuffer part = part(read, receiveSmall(8).getLong(), length - 8);
        receiveInto(part);
      }
      case CHUNK_HOLE -> {
        require(length == 12, "a chunk of a hole");
        ByteBuffer hole = receiveSmall(12);
        zero(part(read, hole.getLong(), hole.getInt()));
      }
      default -> {
        require((type & CHUNK_ERROR_BIT) != 0 && length >= 6, "a chunk of type " + type);
        throw chunkError("read", read.offset, read.target.remaining(), length);
      }
    }
    return (chunkFlags & CHUNK_DONE) != 0;
  }

  private Read readOf(long answered, long first, List<Read> reads) throws BlkSnapException {
    long index = answered - first - 1;
    require(index >= 0 && index < reads.size(), "the cookie of a reply");
    return reads.get((int) index);
  }

  private ByteBuffer part(Read read, long offset, int length) throws BlkSnapException {
    long from = offset - read.offset;
    boolean inside = length > 0 && from >= 0 && from <= (long) read.target.remaining() - length;
    require(inside, "the place of a chunk");
    return read.target.slice(read.target.position() + (int) from, length);
  }

  private static void zero(ByteBuffer target) {
    while (target.remaining() >= Long.BYTES) {
      target.putLong(0);
    }
    while (target.hasRemaining()) {
      target.put((byte) 0);
    }
  }

  private BlkSnapException chunkError(String what, long offset, long bytes, int length)
      throws IOException {
    require(length <= MAX_REPLY_BYTES, "the length of an error");
    ByteBuffer payload = receive(length);
    int error = payload.getInt();
    int text = Math.min(Short.toUnsignedInt(payload.getShort()), payload.remaining());
    String message = StandardCharsets.UTF_8.decode(payload.slice(6, text)).toString();
    return failed(what, error, offset, bytes, message);
  }

  /**
   * What the export says of the range: extents from {@code offset} on, at least one, maybe fewer
   * than the range has; all of it is data where the server cannot tell.
   *
   * @param length bytes, positive; at most 1 GiB of it is asked for
   */
  public List<Extent> extents(long offset, long length) throws IOException {
    if (!knowsExtents()) {
      return List.of(new Extent(length, false));
    }
    int asked = (int) Math.min(length, MAX_RANGE_BYTES);
    request(CMD_BLOCK_STATUS, offset, asked);
    List<Extent> extents = new ArrayList<>();
    boolean done = false;
    while (!done) {
      require(receiveSmall(4).getInt() == CHUNK_MAGIC, "a reply");
      ByteBuffer rest = receiveSmall(16);
      done = (rest.getShort() & CHUNK_DONE) != 0;
      int type = Short.toUnsignedInt(rest.getShort());
      require(rest.getLong() == cookie, "the cookie of a reply");
      int bytes = rest.getInt();
      if ((type & CHUNK_ERROR_BIT) != 0) {
        throw chunkError("block status", offset, asked, bytes);
      }
      if (type == CHUNK_STATUS) {
        require(bytes >= 12 && bytes <= MAX_REPLY_BYTES, "a list of extents");
        ByteBuffer list = receive(bytes);
        require(list.getInt() == allocationId, "the context of a list of extents");
        addExtents(list, asked, extents);
      }
    }
    require(!extents.isEmpty(), "a list of extents");
    return extents;
  }

  private void addExtents(ByteBuffer list, long asked, List<Extent> extents)
      throws BlkSnapException {
    long left = asked;
    while (list.remaining() >= 8 && left > 0) {
      long run = Math.min(left, Integer.toUnsignedLong(list.getInt()));
      boolean zero = (list.getInt() & STATE_ZERO) != 0;
      require(run > 0, "an extent");
      extents.add(new Extent(run, zero)); // the last one may go beyond what was asked for
      left -= run;
    }
  }

  /** Writes what remains in {@code source}; returns when the write has been answered. */
  public void write(long offset, ByteBuffer source) throws IOException {
    int length = source.remaining();
    requests.clear();
    put(CMD_WRITE, offset, length);
    requests.flip();
    ByteBuffer[] both = {requests, source};
    while (source.hasRemaining() || requests.hasRemaining()) {
      channel.write(both);
    }
    awaitDone("write", offset, length);
  }

  /** Makes the range read as zeroes. */
  public void writeZeroes(long offset, long length) throws IOException {
    boolean known = (flags & FLAG_SEND_WRITE_ZEROES) != 0;
    long most = known ? MAX_RANGE_BYTES : ZEROES_BYTES;
    for (long at = offset; at < offset + length; ) {
      int bytes = (int) Math.min(most, offset + length - at);
      if (known) {
        request(CMD_WRITE_ZEROES, at, bytes);
        awaitDone("write zeroes", at, bytes);
      } else {
        write(at, ByteBuffer.allocateDirect(bytes));
      }
      at += bytes;
    }
  }

  /** Returns when everything that was answered is durable, if the server can tell. */
  public void flush() throws IOException {
    if ((flags & FLAG_SEND_FLUSH) != 0) {
      request(CMD_FLUSH, 0, 0);
      awaitDone("flush", 0, 0);
    }
  }

  /** Says good-bye, if the other end still listens, and hangs up. */
  @Override
  public void close() throws IOException {
    try (channel) {
      if (channel.isOpen()) {
        request(CMD_DISCONNECT, 0, 0);
      }
    } catch (IOException _) {
      // it has gone before us
    }
  }

  private void request(short type, long offset, int length) throws IOException {
    requests.clear();
    put(type, offset, length);
    send(requests.flip());
  }

  private void put(short type, long offset, int length) {
    requests.putInt(REQUEST_MAGIC).putShort((short) 0).putShort(type);
    requests.putLong(++cookie).putLong(offset).putInt(length);
  }

  private void awaitDone(String what, long offset, long length) throws IOException {
    int magic = receiveSmall(4).getInt();
    if (magic == SIMPLE_MAGIC) {
      ByteBuffer rest = receiveSmall(12);
      int error = rest.getInt();
      require(rest.getLong() == cookie, "the cookie of a reply");
      if (error != 0) {
        throw failed(what, error, offset, length, "");
      }
      return;
    }
    require(magic == CHUNK_MAGIC, "a reply");
    ByteBuffer rest = receiveSmall(16);
    int type = rest.getInt() & 0xffff;
    require(rest.getLong() == cookie, "the cookie of a reply");
    int bytes = rest.getInt();
    if ((type & CHUNK_ERROR_BIT) != 0) {
      throw chunkError(what, offset, length, bytes);
    }
    require(type == CHUNK_NONE && bytes == 0, "a chunk of type " + type);
  }

  private BlkSnapException failed(String what, int error, long offset, long bytes, String message) {
    String reason = message.isEmpty() ? "" : ": " + message;
    return new BlkSnapException(
        Errno.of(error),
        what
            + " of "
            + bytes
            + " bytes at "
            + offset
            + " of "
            + address.export()
            + " failed"
            + reason);
  }

  private ByteBuffer receive(int length) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(length);
    receiveInto(bytes);
    return bytes.flip();
  }

  private ByteBuffer receiveSmall(int length) throws IOException {
    small.clear().limit(length);
    receiveInto(small);
    return small.flip();
  }

  /** What is large goes past {@link #received}, which takes what follows it meanwhile. */
  private void receiveInto(ByteBuffer bytes) throws IOException {
    take(bytes);
    while (bytes.hasRemaining()) {
      received.clear();
      try {
        long count =
            bytes.remaining() < RECEIVED_BYTES / 2
                ? channel.read(received)
                : channel.read(new ByteBuffer[] {bytes, received});
        require(count >= 0, "it hung up");
      } finally {
        received.flip();
      }
      take(bytes);
    }
  }

  /** Moves what was received already. */
  private void take(ByteBuffer bytes) {
    int count = Math.min(bytes.remaining(), received.remaining());
    bytes.put(bytes.position(), received, received.position(), count);
    bytes.position(bytes.position() + count);
    received.position(received.position() + count);
  }

  private void send(ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  private void require(boolean right, String what) throws BlkSnapException {
    if (!right) {
      throw new BlkSnapException(
          Errno.EPROTO, "the server of " + address + " broke the protocol: " + what);
    }
  }
}
