package blksnap.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;
import java.util.Locale;

/** What Linux gives a thread of processor and disk when others want them too. */
public final class ThreadPriority {
  private static final MethodHandle SETPRIORITY =
      Native.function("setpriority", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle SYSCALL =
      Native.variadic(
          "syscall", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT), 1);

  /** Of threads, in spite of the name: a process is what has a number. */
  private static final int PRIO_PROCESS = 0;

  private static final int IOPRIO_WHO_PROCESS = 1;
  private static final int THIS_ONE = 0;

  /** A nice thread gets about two fifths of what an ordinary one beside it gets. */
  private static final int NICE = 4;

  /** As nice as can be. */
  private static final int NICEST = 19;

  /** The last of the eight levels of the class "best effort"; from 4, which is the usual one. */
  private static final int LAST_BEST_EFFORT = 2 << 13 | 7;

  /** The class of those that get what nobody else wants. */
  private static final int IDLE = 3;

  private static final boolean X86 =
      switch (System.getProperty("os.arch", "").toLowerCase(Locale.ROOT)) {
        case "amd64", "x86_64" -> true;
        default -> false; // arm64, and every later architecture
      };

  private static final long GETPRIORITY = X86 ? 140 : 141;
  private static final long IOPRIO_SET = X86 ? 251 : 30;
  private static final long IOPRIO_GET = X86 ? 252 : 31;

  private ThreadPriority() {}

  /**
   * From now on this thread yields to the others of this process, and of others, until it ends: it
   * can not be taken back. Where the kernel will not, it goes on as before. One that was started by
   * a thread that yields does so from its start.
   *
   * @return whether the kernel did
   */
  public static boolean yieldToOthers() {
    int process = (int) ProcessHandle.current().pid(); // the number of its first thread, too
    long ordinary = 20 - call(GETPRIORITY, PRIO_PROCESS, process, 0); // the kernel's are from 1
    int nicer = (int) Math.min(ordinary + NICE, NICEST);
    long nice = Native.once(s -> (int) SETPRIORITY.invokeExact(s, PRIO_PROCESS, THIS_ONE, nicer));
    if (call(IOPRIO_GET, IOPRIO_WHO_PROCESS, process, 0) >> 13 == IDLE) {
      return nice >= 0;
    }
    long disk = call(IOPRIO_SET, IOPRIO_WHO_PROCESS, THIS_ONE, LAST_BEST_EFFORT);
    return nice >= 0 && disk >= 0;
  }

  private static long call(long number, int which, int who, int value) {
    return Native.once(s -> (long) SYSCALL.invokeExact(s, number, which, who, value));
  }
}
