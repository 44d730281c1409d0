package blksnap.cli.daemon;

/** Shutdown hooks that are no longer needed. */
final class Shutdown {
  private Shutdown() {}

  /**
   * Takes a hook back; when the machine is going down already it runs all the same, which must be
   * harmless.
   */
  static void forget(Thread hook) {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // It is running, or has run.
    }
  }
}
