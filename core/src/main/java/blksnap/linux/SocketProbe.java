package blksnap.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import blksnap.error.BlkSnapException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.channels.SocketChannel;
import java.util.Optional;

/**
 * Asks whether a socket has something to read, without waiting. The answer is a hint: the socket
 * may have been closed, and its number be another file's by now. One thread at a time.
 */
public final class SocketProbe {
  private static final MethodHandle POLL =
      Native.function("poll", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));
  private static final MethodHandle SCHED_YIELD =
      Native.function("sched_yield", FunctionDescriptor.of(JAVA_INT));

  /** Bytes of the kernel's {@code struct pollfd}: descriptor, events wanted, events found. */
  private static final int POLLFD_BYTES = 8;

  private static final int EVENTS_AT = 4;
  private static final short POLLIN = 1;

  private final MemorySegment wanted = Arena.ofAuto().allocate(POLLFD_BYTES, Integer.BYTES);

  private SocketProbe(int descriptor) {
    wanted.set(JAVA_INT, 0, descriptor);
    wanted.set(JAVA_SHORT, EVENTS_AT, POLLIN);
  }

  /** Empty where this Java does not tell the number of a socket. */
  public static Optional<SocketProbe> of(SocketChannel channel) {
    try {
      return Optional.of(new SocketProbe(Peer.descriptorOf(channel)));
    } catch (BlkSnapException _) {
      return Optional.empty();
    }
  }

  /** Whether a read would return at once: with bytes, with the end, or with a failure. */
  public boolean readable() {
    return Native.once(s -> (int) POLL.invokeExact(s, wanted, 1L, 0)) != 0;
  }

  /** Lets others run that wait for the processor this thread is on. */
  public static void yieldProcessor() {
    Native.once(s -> (int) SCHED_YIELD.invokeExact(s));
  }
}
