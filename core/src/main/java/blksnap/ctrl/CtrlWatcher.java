package blksnap.ctrl;

import java.util.function.Consumer;

/**
 * Whoever waits for the answer to one request: is told how far it is, and may lose patience. Both
 * calls are cheap, may be made often and from any thread, and do not fail.
 */
@FunctionalInterface
public interface CtrlWatcher extends Consumer<CtrlProgress> {
  /** Waits for ever and does not want to be told anything. */
  CtrlWatcher PATIENT = progress -> {};

  /**
   * Whether nobody wants the answer any more: what can be left as it was before is to end with
   * {@code ECANCELED}. What cannot goes on.
   */
  default boolean hasGivenUp() {
    return false;
  }
}
