package blksnap.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.channels.NetworkChannel;
import java.nio.channels.SocketChannel;
import java.util.Optional;
import jdk.net.ExtendedSocketOptions;

/**
 * Who connected to a unix socket, as the kernel noted it at that moment. A process that passes its
 * socket on, or changes its user afterwards, is still known as who connected.
 *
 * @param name the user's name, or its number as text where it has none
 * @param numbers process and user, where this Java lets us ask for them: it has to be started with
 *     {@code --add-exports=java.base/sun.nio.ch=ALL-UNNAMED}, as the launcher does
 */
public record Peer(String name, Optional<Numbers> numbers) {
  private static final int SOL_SOCKET = 1;
  private static final int SO_PEERCRED = 17;

  /** Bytes of the kernel's {@code struct ucred}: process, user and group. */
  private static final int UCRED_BYTES = 12;

  /** Where the length that is asked for, and answered, lies behind it. */
  private static final int LENGTH_AT = 16;

  private static final String SUPERUSER = "root";

  private static final MethodHandle GETSOCKOPT =
      Native.function(
          "getsockopt",
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS));

  private static final Optional<MethodHandle> DESCRIPTOR = descriptor();

  /**
   * @param pid 0 when the process is not within our pid namespace
   * @param uid within our user namespace
   */
  public record Numbers(long pid, long uid) {}

  /** Java's own channels know their descriptor, and tell it where they are allowed to. */
  private static Optional<MethodHandle> descriptor() {
    try {
      MethodHandle method =
          MethodHandles.lookup()
              .findVirtual(
                  Class.forName("sun.nio.ch.SelChImpl"),
                  "getFDVal",
                  MethodType.methodType(int.class));
      return Optional.of(method.asType(MethodType.methodType(int.class, NetworkChannel.class)));
    } catch (ReflectiveOperationException _) {
      return Optional.empty();
    }
  }

  /**
   * The peer of a unix socket that only the caller may close.
   *
   * @throws IOException when the kernel does not say
   */
  public static Peer of(SocketChannel channel) throws IOException {
    String name = channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user().getName();
    return new Peer(
        name, DESCRIPTOR.isPresent() ? Optional.of(ask(descriptorOf(channel))) : Optional.empty());
  }

  /**
   * The descriptor of a channel of Java's own.
   *
   * @throws BlkSnapException {@code ENOTSUP} where this Java does not let us ask
   */
  static int descriptorOf(NetworkChannel channel) throws BlkSnapException {
    return number(
        DESCRIPTOR.orElseThrow(() ->
            new BlkSnapException(
                Errno.ENOTSUP,
                "Java has to be started with --add-exports=java.base/sun.nio.ch=ALL-UNNAMED")),
        channel);
  }

  private static int number(MethodHandle descriptor, NetworkChannel channel) {
    try {
      return (int) descriptor.invokeExact(channel);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("asking for a descriptor throws no checked exception", e);
    }
  }

  private static Numbers ask(int descriptor) throws IOException {
    MemorySegment credentials = Native.scratch();
    MemorySegment length = credentials.asSlice(LENGTH_AT, Integer.BYTES);
    length.set(JAVA_INT, 0, UCRED_BYTES);
    long result =
        Native.repeat(s ->
            (int)
                GETSOCKOPT.invokeExact(
                    s, descriptor, SOL_SOCKET, SO_PEERCRED, credentials, length));
    if (result < 0) {
      throw Native.failure(result, "cannot ask who connected");
    }
    return new Numbers(
        Integer.toUnsignedLong(credentials.get(JAVA_INT, 0)),
        Integer.toUnsignedLong(credentials.get(JAVA_INT, 4)));
  }

  /**
   * Whether it may use an engine of this process: as the user we act as, or as root.
   *
   * @param ownName what {@link #name} is for the user we act as
   */
  public boolean mayUse(String ownName) {
    return mayUse(Processes.effectiveUser(), ownName);
  }

  boolean mayUse(long ownUid, String ownName) {
    if (numbers.isPresent()) {
      long uid = numbers.get().uid();
      return uid == 0 || uid == ownUid;
    }
    return name.equals(ownName) || name.equals(SUPERUSER) || name.equals("0");
  }

  /** For the log and for people: {@code user bob (uid 1001, pid 4711)}. */
  @Override
  public String toString() {
    return "user "
        + name
        + numbers.map(n -> " (uid " + n.uid() + ", pid " + n.pid() + ")").orElse("");
  }
}
