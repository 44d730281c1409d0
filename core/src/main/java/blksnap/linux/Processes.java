package blksnap.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import blksnap.error.BlkSnapException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;

/** This process, and whether others are still there. */
public final class Processes {
  private static final MethodHandle SETSID =
      Native.function("setsid", FunctionDescriptor.of(JAVA_INT));
  private static final MethodHandle GETEUID =
      Native.function("geteuid", FunctionDescriptor.of(JAVA_INT));

  private static final MethodHandle UMASK =
      Native.function("umask", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
  private static final int OTHERS = 0077;
  private static final MethodHandle KILL =
      Native.function("kill", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
  private static final int SIGKILL = 9;
  private static final int SIGTERM = 15;

  private Processes() {}

  /** What this process makes from now on is its user's only, whatever umask it was started with. */
  public static void restrictNewFiles() {
    Native.once(s -> (int) UMASK.invokeExact(s, OTHERS));
  }

  /**
   * Leaves the terminal's session, so that its hang-up and its interrupt key do not reach this
   * process.
   *
   * @return the new session's number
   * @throws BlkSnapException {@code EPERM} when the process already leads a group
   */
  public static int startSession() throws BlkSnapException {
    long session = Native.repeat(s -> (int) SETSID.invokeExact(s));
    if (session < 0) {
      throw Native.failure(session, "cannot start a session of its own");
    }
    return (int) session;
  }

  /**
   * Ends every process of a group; does nothing when there is none.
   *
   * @param leader the number of the process that the group began with; above 1
   * @param atOnce without a chance to clean up
   */
  public static void endGroup(long leader, boolean atOnce) {
    int group = -Math.toIntExact(leader);
    if (group >= -1) {
      throw new IllegalArgumentException("process " + leader + " leads no group of ours");
    }
    int signal = atOnce ? SIGKILL : SIGTERM;
    Native.once(s -> (int) KILL.invokeExact(s, group, signal));
  }

  /** The user whose rights this process has; 0 is root. Unsigned: ids above 2^31 exist. */
  public static long effectiveUser() {
    // Never fails, and a large id must not be taken for an error: widened without its sign first.
    return Native.once(s -> Integer.toUnsignedLong((int) GETEUID.invokeExact(s)));
  }

  /** Whether a process with this number runs now; it may be another one than was meant. */
  public static boolean isAlive(long pid) {
    return ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false);
  }
}
