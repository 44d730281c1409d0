package blksnap.engine;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.log.LogRing;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/** Brings subsystems up in order and down in the reverse order. Used by one thread at a time. */
final class Lifecycle {
  /** Called before each init; a test makes one fail here. */
  interface Gatekeeper {
    void before(String subsystem) throws IOException;
  }

  private final List<Subsystem> order;
  private final LogRing log;
  private final Gatekeeper gatekeeper;
  private final Deque<Subsystem> up = new ArrayDeque<>();

  Lifecycle(List<Subsystem> order, LogRing log, Gatekeeper gatekeeper) {
    this.order = List.copyOf(order);
    this.log = log;
    this.gatekeeper = gatekeeper;
  }

  /**
   * Brings all up. When one fails those before it are brought down.
   *
   * @throws BlkSnapException with the errno of the failure and the subsystem's name
   */
  void init() throws IOException {
    for (Subsystem subsystem : order) {
      try {
        gatekeeper.before(subsystem.name());
        subsystem.init();
      } catch (IOException | RuntimeException | Error e) {
        Errno errno = e instanceof BlkSnapException refused ? refused.errno() : Errno.EIO;
        String why = e instanceof BlkSnapException refused ? refused.sentence() : e.toString();
        log.error(subsystem.name() + ": init failed (" + errno + "): " + why);
        var failure =
            new BlkSnapException(errno, "init of " + subsystem.name() + " failed: " + why, e);
        try {
          exit();
        } catch (IOException unwinding) {
          failure.addSuppressed(unwinding);
        }
        throw failure;
      }
      up.push(subsystem);
      log.debug(subsystem.name() + ": init");
    }
  }

  /**
   * Brings down what is up; goes through all of it even if one fails, and throws the first failure
   * then.
   */
  void exit() throws IOException {
    IOException failure = null;
    while (!up.isEmpty()) {
      Subsystem subsystem = up.pop();
      try {
        subsystem.exit();
        log.debug(subsystem.name() + ": exit");
      } catch (IOException | RuntimeException e) {
        log.error(subsystem.name() + ": exit failed: " + e.getMessage());
        if (failure == null) {
          failure =
              new BlkSnapException(
                  e instanceof BlkSnapException refused ? refused.errno() : Errno.EIO,
                  "exit of " + subsystem.name() + " failed: " + e.getMessage(),
                  e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
