package blksnap.nbd;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;

/**
 * A client that sends exactly the bytes it is told to. The numbers are written out here, not taken
 * from the server, so that a wrong constant there shows.
 */
public final class NbdTestClient implements AutoCloseable {
  static final long IHAVEOPT = 0x49484156454F5054L;
  static final long OPTION_REPLY = 0x0003e889045565a9L;

  private final SocketChannel channel;

  /** What is sent and received by: the same, or TLS above it. */
  private WritableByteChannel out;

  private ReadableByteChannel in;

  /** Whether extended headers were negotiated, by {@link #extended}. */
  private boolean extended;

  /** What the last extended reply said of its request's offset. */
  private long lastOffset;

  /** Which TLS was agreed on; "" without. */
  private String tlsProtocol = "";

  private NbdTestClient(SocketChannel channel) {
    this.channel = channel;
    this.out = channel;
    this.in = channel;
  }

  /** One reply to an option. */
  record OptionReply(int option, int type, ByteBuffer buffer) {
    byte[] payload() {
      return all(buffer);
    }

    String text() {
      return new String(payload(), StandardCharsets.UTF_8);
    }
  }

  /** One reply message: a simple one has type -1, and its error in {@code error}. */
  public record Reply(int flags, int type, long cookie, int error, ByteBuffer buffer) {
    public byte[] payload() {
      return all(buffer);
    }

    boolean done() {
      return (flags & 1) != 0;
    }

    boolean simple() {
      return type == -1;
    }
  }

  public static NbdTestClient connect(Path socket) throws IOException {
    return connect(UnixDomainSocketAddress.of(socket));
  }

  static NbdTestClient connect(SocketAddress address) throws IOException {
    return new NbdTestClient(SocketChannel.open(address));
  }

  /** Big-endian bytes put together: Short, Integer, Long, String (UTF-8) and byte[]. */
  static byte[] bytes(Object... parts) {
    var all = new ByteArrayOutputStream();
    for (Object part : parts) {
      byte[] raw =
          switch (part) {
            case Short s -> ByteBuffer.allocate(2).putShort(s).array();
            case Integer i -> ByteBuffer.allocate(4).putInt(i).array();
            case Long l -> ByteBuffer.allocate(8).putLong(l).array();
            case String s -> s.getBytes(StandardCharsets.UTF_8);
            case byte[] b -> b;
            default -> throw new IllegalArgumentException(part.getClass().toString());
          };
      all.writeBytes(raw);
    }
    return all.toByteArray();
  }

  void send(Object... parts) throws IOException {
    var buffer = ByteBuffer.wrap(bytes(parts));
    while (buffer.hasRemaining()) {
      out.write(buffer);
    }
  }

  byte[] receive(int count) throws IOException {
    var buffer = ByteBuffer.allocate(count);
    while (buffer.hasRemaining()) {
      if (in.read(buffer) < 0) {
        throw new EOFException("closed after " + buffer.position() + " of " + count + " bytes");
      }
    }
    return buffer.array();
  }

  private static byte[] all(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.limit()];
    buffer.get(0, bytes);
    return bytes;
  }

  private ByteBuffer take(int count) throws IOException {
    return ByteBuffer.wrap(receive(count));
  }

  /** Whether the server hangs up without another byte. */
  boolean hungUp() throws IOException {
    try {
      return in.read(ByteBuffer.allocate(1)) < 0;
    } catch (IOException e) { // closed with bytes of ours unread
      return String.valueOf(e.getMessage()).contains("reset");
    }
  }

  void shutdownOutput() throws IOException {
    channel.shutdownOutput();
  }

  /** Takes the greeting and answers it with these flags. */
  NbdTestClient greet(int flags) throws IOException {
    receive(18);
    send(flags);
    return this;
  }

  NbdTestClient greet() throws IOException {
    return greet(3);
  }

  void sendOption(int option, byte[] data) throws IOException {
    send(IHAVEOPT, option, data.length, data);
  }

  OptionReply optionReply() throws IOException {
    ByteBuffer header = take(20);
    if (header.getLong() != OPTION_REPLY) {
      throw new IOException("no option reply magic");
    }
    int option = header.getInt();
    int type = header.getInt();
    return new OptionReply(option, type, take(header.getInt()));
  }

  /** Sends an option and takes its replies, up to the final one. */
  List<OptionReply> option(int option, Object... data) throws IOException {
    sendOption(option, bytes(data));
    var replies = new ArrayList<OptionReply>();
    while (true) {
      OptionReply reply = optionReply();
      replies.add(reply);
      if (reply.type() == 1 || reply.type() < 0) {
        return replies;
      }
    }
  }

  /** The last reply's type. */
  int optionType(int option, Object... data) throws IOException {
    return option(option, data).getLast().type();
  }

  static byte[] infoData(String name, int... ids) {
    var data = ByteBuffer.allocate(6 + name.length() + 2 * ids.length);
    data.putInt(name.length()).put(name.getBytes(StandardCharsets.US_ASCII));
    data.putShort((short) ids.length);
    for (int id : ids) {
      data.putShort((short) id);
    }
    return data.array();
  }

  static byte[] metaData(String name, String... queries) {
    var parts = new ArrayList<Object>(List.of(name.length(), name, queries.length));
    for (String query : queries) {
      parts.add(query.length());
      parts.add(query);
    }
    return bytes(parts.toArray());
  }

  NbdTestClient go(String name) throws IOException {
    if (optionType(7, infoData(name)) != 1) {
      throw new IOException("GO refused");
    }
    return this;
  }

  /** Greets, and enters transmission with simple replies. */
  public NbdTestClient simple(String name) throws IOException {
    return greet().go(name);
  }

  /** Greets, and enters transmission with structured replies and base:allocation. */
  NbdTestClient structured(String name) throws IOException {
    greet();
    option(8);
    option(10, metaData(name, "base:allocation"));
    return go(name);
  }

  /** Greets, and enters transmission with extended headers and these contexts. */
  NbdTestClient extended(String name, String... contexts) throws IOException {
    greet();
    if (optionType(11) != 1) {
      throw new IOException("EXTENDED_HEADERS refused");
    }
    extended = true;
    if (contexts.length > 0) {
      option(10, metaData(name, contexts));
    }
    return go(name);
  }

  /** In the form that was negotiated; a WRITE says that it has a payload where it has to. */
  public void request(int flags, int type, long cookie, long offset, int length, byte... payload)
      throws IOException {
    if (extended) {
      long bytes = Integer.toUnsignedLong(length);
      extendedRequest(type == 1 ? flags | 0x20 : flags, type, cookie, offset, bytes, payload);
    } else {
      send(0x25609513, (short) flags, (short) type, cookie, offset, length, payload);
    }
  }

  void extendedRequest(int flags, int type, long cookie, long offset, long length, byte... payload)
      throws IOException {
    send(0x21e41c71, (short) flags, (short) type, cookie, offset, length, payload);
  }

  /** Sends an extended request and returns the error it is answered with. */
  int extendedError(int flags, int type, long offset, long length, byte... payload)
      throws IOException {
    extendedRequest(flags, type, 78, offset, length, payload);
    return error();
  }

  /** Asks for TLS, which has to be granted, and speaks it from then on. */
  NbdTestClient startTls(SSLContext context) throws IOException {
    if (optionType(5) != 1) {
      throw new IOException("STARTTLS refused");
    }
    return encrypt(context);
  }

  /** Goes over to TLS at once; of these versions, or of any. */
  NbdTestClient encrypt(SSLContext context, String... protocols) throws IOException {
    var socket =
        (SSLSocket) context.getSocketFactory().createSocket(channel.socket(), "localhost", 1, true);
    SSLParameters parameters = socket.getSSLParameters();
    parameters.setEndpointIdentificationAlgorithm("HTTPS"); // the name has to be right
    if (protocols.length > 0) {
      parameters.setProtocols(protocols);
    }
    socket.setSSLParameters(parameters);
    socket.startHandshake();
    tlsProtocol = socket.getSession().getProtocol();
    out = Channels.newChannel(socket.getOutputStream());
    in = Channels.newChannel(socket.getInputStream());
    return this;
  }

  /** Which version of TLS was agreed on; "" without. */
  String tlsProtocol() {
    return tlsProtocol;
  }

  /** Takes one reply message; the data of a simple READ reply is {@code dataBytes} long. */
  public Reply reply(int dataBytes) throws IOException {
    int magic = take(4).getInt();
    if (magic == 0x67446698) {
      ByteBuffer rest = take(12);
      int error = rest.getInt();
      long cookie = rest.getLong();
      return new Reply(1, -1, cookie, error, take(error == 0 ? dataBytes : 0));
    }
    if (magic != (extended ? 0x6e8a278c : 0x668e33ef)) {
      throw new IOException("reply magic " + Integer.toHexString(magic));
    }
    if (extended) {
      ByteBuffer rest = take(28);
      int flags = rest.getShort();
      int type = Short.toUnsignedInt(rest.getShort());
      long cookie = rest.getLong();
      lastOffset = rest.getLong();
      ByteBuffer payload = take(Math.toIntExact(rest.getLong()));
      return new Reply(flags, type, cookie, type >= 0x8000 ? payload.getInt(0) : 0, payload);
    }
    ByteBuffer rest = take(16);
    int flags = rest.getShort();
    int type = Short.toUnsignedInt(rest.getShort());
    long cookie = rest.getLong();
    ByteBuffer payload = take(rest.getInt());
    int error = type >= 0x8000 ? payload.getInt(0) : 0;
    return new Reply(flags, type, cookie, error, payload);
  }

  /** What the last extended reply said of its request's offset. */
  long lastOffset() {
    return lastOffset;
  }

  /** The text of the reply to something that failed, where there are chunks. */
  String sentence() throws IOException {
    byte[] payload = reply(0).payload();
    return new String(payload, 6, payload.length - 6, StandardCharsets.UTF_8);
  }

  /** Takes the reply to something that carries no data, and returns its error. */
  int error() throws IOException {
    return reply(0).error();
  }

  /** Sends a request without payload and returns the error it is answered with. */
  public int errorOf(int flags, int type, long offset, int length) throws IOException {
    request(flags, type, 77, offset, length);
    return error();
  }

  /** Reads by READ in simple mode. */
  public byte[] read(long offset, int length) throws IOException {
    request(0, 0, 5, offset, length);
    Reply reply = reply(length);
    if (reply.error() != 0) {
      throw new IOException("READ failed with " + reply.error());
    }
    return reply.payload();
  }

  public int write(long offset, byte[] data) throws IOException {
    request(0, 1, 6, offset, data.length, data);
    return error();
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
