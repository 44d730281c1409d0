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

  /** The last of the eight levels of the class "best effort"; from 4, which is the usual one. */
  private static final int LAST_BEST_EFFORT = 2 << 13 | 7;

  private static final long IOPRIO_SET =
      switch (System.getProperty("os.arch", "").toLowerCase(Locale.ROOT)) {
        case "amd64", "x86_64" -> 251;
        default -> 30; // arm64, and every later architecture
      };

  private ThreadPriority() {}

  /**
   * From now on this thread yields to others, until it ends: it can not be taken back. Where the
   * kernel will not, it goes on as before.
   *
   * @return whether the kernel did
   */
  public static boolean yieldToOthers() {
    long nice = Native.once(s -> (int) SETPRIORITY.invokeExact(s, PRIO_PROCESS, THIS_ONE, NICE));
    long disk =
        Native.once(s ->
            (long)
                SYSCALL.invokeExact(s, IOPRIO_SET, IOPRIO_WHO_PROCESS, THIS_ONE, LAST_BEST_EFFORT));
    return nice >= 0 && disk >= 0;
  }
}
