package blksnap.linux;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/**
 * Links functions of the C library and of others, calls them and carries their errno. Every
 * function that is linked here returns a negative number when it fails and takes, before its own
 * arguments, the segment its errno is saved to.
 */
final class Native {
  private static final int EINTR = 4;
  private static final int SCRATCH_BYTES = 256;
  private static final Linker LINKER = Linker.nativeLinker();
  private static final Linker.Option SAVE_ERRNO = Linker.Option.captureCallState("errno");
  private static final long ERRNO_OFFSET =
      Linker.Option.captureStateLayout().byteOffset(PathElement.groupElement("errno"));

  /**
   * A segment each for errno and for small arguments; no call comes back into Java, so one a thread
   * is enough.
   */
  private static final ThreadLocal<Scratch> SCRATCH =
      ThreadLocal.withInitial(() -> {
        Arena arena = Arena.ofAuto();
        return new Scratch(
            arena.allocate(Linker.Option.captureStateLayout()),
            arena.allocate(SCRATCH_BYTES, Long.BYTES));
      });

  private Native() {}

  /** The function {@code name}, with errno saved. */
  static MethodHandle function(String name, FunctionDescriptor descriptor) {
    return link(name, descriptor, SAVE_ERRNO);
  }

  /**
   * As {@link #function}, for one whose arguments from {@code firstVariadic} on stand for the dots.
   */
  static MethodHandle variadic(String name, FunctionDescriptor descriptor, int firstVariadic) {
    return link(name, descriptor, SAVE_ERRNO, Linker.Option.firstVariadicArg(firstVariadic));
  }

  @SuppressWarnings("restricted") // this class is where the program allows itself native access
  private static MethodHandle link(
      String name, FunctionDescriptor descriptor, Linker.Option... options) {
    return LINKER.downcallHandle(symbol(name), descriptor, options);
  }

  /**
   * For several functions whose arguments fit these, with errno saved: the {@link #symbol} of one
   * of them is the first argument. Linking costs more than most programs have calls to make, and
   * this is linked once for all of them.
   *
   * <p>On the machines that this program runs on a {@code long} stands for a narrower number as
   * well, arguments that a function does not have are not looked at, and of the result only what
   * the function says is its own: the upper half of an {@code int} may be anything.
   */
  @SuppressWarnings("restricted") // as above
  static MethodHandle shape(FunctionDescriptor descriptor) {
    return LINKER.downcallHandle(descriptor, SAVE_ERRNO);
  }

  /** Where a function of the C library is. */
  static MemorySegment symbol(String name) {
    return LINKER
        .defaultLookup()
        .find(name)
        .orElseThrow(() -> new UnsupportedOperationException("the C library has no " + name));
  }

  /** Where the functions of a library are; empty where there is no such library. */
  @SuppressWarnings("restricted") // as above
  static Optional<SymbolLookup> library(String name) {
    try {
      return Optional.of(SymbolLookup.libraryLookup(name, Arena.global()));
    } catch (IllegalArgumentException _) {
      return Optional.empty();
    }
  }

  /**
   * {@value #SCRATCH_BYTES} bytes of this thread's own, aligned to 8, valid until its next use of
   * them.
   */
  static MemorySegment scratch() {
    return SCRATCH.get().memory();
  }

  /**
   * Makes the call again until no signal interrupts it; its result, or the negative of its errno.
   */
  static long repeat(Call call) {
    long result = once(call);
    while (result == -EINTR) {
      result = once(call);
    }
    return result;
  }

  /** Makes the call; its result, or the negative of its errno. */
  static long once(Call call) {
    MemorySegment state = SCRATCH.get().state();
    long result;
    try {
      result = call.make(state);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new AssertionError("a linked function throws no checked exception", e);
    }
    return result >= 0 ? result : -state.get(ValueLayout.JAVA_INT, ERRNO_OFFSET);
  }

  /**
   * What the kernel refused, as this program reports it: {@code sentence} and the meaning of the
   * error. Numbers that {@link Errno} does not list are told as their nearest relative.
   *
   * @param negative what {@link #repeat} returned
   */
  static BlkSnapException failure(long negative, String sentence) {
    int number = (int) -negative;
    return switch (number) {
      case 9 -> new BlkSnapException(Errno.EINVAL, sentence + ": not open for that"); // EBADF
      case 23 -> new BlkSnapException(Errno.EMFILE, sentence + ": too many open files"); // ENFILE
      case 25 -> new BlkSnapException(Errno.ENOTSUP, sentence + ": not a block device"); // ENOTTY
      case 26 -> new BlkSnapException(Errno.EBUSY, sentence + ": in use as a program or as swap");
      case 40 -> new BlkSnapException(Errno.EINVAL, sentence + ": a symbolic link"); // ELOOP
      case 122 -> new BlkSnapException(Errno.ENOSPC, sentence + ": disk quota exceeded"); // EDQUOT
      case 123 -> new BlkSnapException(Errno.ENODEV, sentence + ": no medium in it"); // ENOMEDIUM
      default -> {
        Errno errno = Errno.of(number);
        String meaning = errno.meaning();
        if (errno.number() != number) {
          meaning += " (errno " + number + ")";
        }
        yield new BlkSnapException(errno, sentence + ": " + meaning);
      }
    };
  }

  /** One call of a linked function, given the segment that its errno is saved to. */
  @FunctionalInterface
  interface Call {
    long make(MemorySegment state) throws Throwable;
  }

  private record Scratch(MemorySegment state, MemorySegment memory) {}
}
