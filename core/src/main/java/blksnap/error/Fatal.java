package blksnap.error;

/**
 * Failures that must not be answered as one request's: after them nobody knows what state the
 * process is in. They go to the uncaught exception handler of the thread that met them, as if they
 * had ended it; a daemon's ends the process at once, and the next load recovers.
 */
public final class Fatal {
  private Fatal() {}

  /**
   * Whether it is: an {@link Error} of any kind but {@link InternalError}, which is how Java tells
   * that the file below a mapping failed, and concerns what was asked of that file only.
   */
  public static boolean is(Throwable failure) {
    return failure instanceof Error && !(failure instanceof InternalError);
  }

  /**
   * Hands a fatal failure to the handler of the calling thread; does nothing for any other. When it
   * returns the caller goes on as with a failure of its one request.
   */
  public static void raise(Throwable failure) {
    if (is(failure)) {
      Thread thread = Thread.currentThread();
      thread.getUncaughtExceptionHandler().uncaughtException(thread, failure);
    }
  }
}
