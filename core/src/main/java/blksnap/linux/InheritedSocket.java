package blksnap.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A listening socket that whoever started this process left open for it, as systemd does. Java
 * makes no channel of a descriptor, so one that listens elsewhere is made, and the descriptor is
 * put in the place of its own.
 *
 * @param tcp the address listened on; empty for a unix socket
 */
public record InheritedSocket(ServerSocketChannel channel, Optional<InetSocketAddress> tcp) {
  /** The first one; the others follow. */
  private static final int FIRST_DESCRIPTOR = 3;

  private static final int MAX_DESCRIPTORS = 256;

  private static final int SOL_SOCKET = 1;
  private static final int SO_TYPE = 3;
  private static final int SO_ACCEPTCONN = 30;
  private static final int SOCK_STREAM = 1;
  private static final int AF_UNIX = 1;
  private static final int AF_INET = 2;
  private static final int AF_INET6 = 10;

  /** Of a {@code struct sockaddr}, with its length before it. */
  private static final int ADDRESS_AT = 8;

  private static final int ADDRESS_BYTES = 128;

  private static final MethodHandle DUP3 =
      Native.function("dup3", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle GETSOCKNAME =
      Native.function("getsockname", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, ADDRESS));
  private static final MethodHandle GETSOCKOPT =
      Native.function(
          "getsockopt",
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS));

  /**
   * The descriptors that the environment says were left to the process with number {@code pid}:
   * {@code LISTEN_PID} and {@code LISTEN_FDS}. None when they are not there, or for another.
   *
   * @throws BlkSnapException {@code EINVAL} when they are for us and make no sense
   */
  public static List<Integer> descriptors(Map<String, String> environment, long pid)
      throws BlkSnapException {
    String count = environment.get("LISTEN_FDS");
    if (count == null || !Long.toString(pid).equals(environment.get("LISTEN_PID"))) {
      return List.of();
    }
    List<Integer> descriptors = new ArrayList<>();
    try {
      int many = Integer.parseInt(count);
      if (many < 0 || many > MAX_DESCRIPTORS) {
        throw new NumberFormatException(count);
      }
      for (int i = 0; i < many; i++) {
        descriptors.add(FIRST_DESCRIPTOR + i);
      }
    } catch (NumberFormatException e) {
      throw new BlkSnapException(
          Errno.EINVAL,
          "LISTEN_FDS is not a number from 0 to " + MAX_DESCRIPTORS + ": " + count,
          e);
    }
    return descriptors;
  }

  /**
   * Makes a channel of it. The descriptor is closed; the socket is the channel's.
   *
   * @throws BlkSnapException {@code EINVAL} when it is no listening stream socket, of a unix or
   *     internet address
   */
  public static InheritedSocket adopt(int descriptor) throws IOException {
    if (option(descriptor, SO_TYPE) != SOCK_STREAM || option(descriptor, SO_ACCEPTCONN) != 1) {
      throw new BlkSnapException(
          Errno.EINVAL, "descriptor " + descriptor + " is no listening stream socket");
    }
    Optional<InetSocketAddress> tcp = address(descriptor);
    ServerSocketChannel channel = tcp.isPresent() ? elsewhereByTcp() : elsewhereByUnix();
    boolean adopted = false;
    try {
      int own = Peer.descriptorOf(channel);
      long result = Native.repeat(s -> (int) DUP3.invokeExact(s, descriptor, own, Calls.O_CLOEXEC));
      if (result < 0) {
        throw Native.failure(result, "cannot take over descriptor " + descriptor);
      }
      Native.once(
          s -> (int) (long) Calls.WITH_NUMBERS.invokeExact(Calls.CLOSE, s, descriptor, 0L, 0L, 0L));
      adopted = true;
      return new InheritedSocket(channel, tcp);
    } finally {
      if (!adopted) {
        channel.close();
      }
    }
  }

  private static ServerSocketChannel elsewhereByTcp() throws IOException {
    ServerSocketChannel channel = ServerSocketChannel.open();
    try {
      return channel.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  private static ServerSocketChannel elsewhereByUnix() throws IOException {
    Path directory = Files.createTempDirectory("blksnap");
    Path path = directory.resolve("s");
    ServerSocketChannel channel = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    try {
      return channel.bind(UnixDomainSocketAddress.of(path));
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    } finally {
      Files.deleteIfExists(path);
      Files.deleteIfExists(directory);
    }
  }

  private static int option(int descriptor, int name) throws BlkSnapException {
    MemorySegment value = Native.scratch();
    MemorySegment length = value.asSlice(Integer.BYTES, Integer.BYTES);
    length.set(JAVA_INT, 0, Integer.BYTES);
    long result =
        Native.repeat(
            s -> (int) GETSOCKOPT.invokeExact(s, descriptor, SOL_SOCKET, name, value, length));
    if (result < 0) {
      throw new BlkSnapException(Errno.EINVAL, "descriptor " + descriptor + " is no socket");
    }
    return value.get(JAVA_INT, 0);
  }

  private static Optional<InetSocketAddress> address(int descriptor) throws IOException {
    MemorySegment length = Native.scratch();
    MemorySegment address = length.asSlice(ADDRESS_AT, ADDRESS_BYTES);
    length.set(JAVA_INT, 0, ADDRESS_BYTES);
    long result = Native.repeat(s -> (int) GETSOCKNAME.invokeExact(s, descriptor, address, length));
    if (result < 0) {
      throw Native.failure(result, "cannot ask what descriptor " + descriptor + " listens on");
    }
    int port =
        Byte.toUnsignedInt(address.get(JAVA_BYTE, 2)) << Byte.SIZE
            | Byte.toUnsignedInt(address.get(JAVA_BYTE, 3));
    short family = address.get(JAVA_SHORT, 0);
    return switch (family) {
      case AF_UNIX -> Optional.empty();
      case AF_INET -> Optional.of(internet(address.asSlice(4, 4), port));
      case AF_INET6 -> Optional.of(internet(address.asSlice(8, 16), port));
      default ->
          throw new BlkSnapException(
              Errno.EINVAL, "descriptor " + descriptor + " is of address family " + family);
    };
  }

  private static InetSocketAddress internet(MemorySegment address, int port) throws IOException {
    return new InetSocketAddress(InetAddress.getByAddress(address.toArray(JAVA_BYTE)), port);
  }
}
