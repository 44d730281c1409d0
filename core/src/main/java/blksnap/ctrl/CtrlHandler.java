package blksnap.ctrl;

import java.io.IOException;

/**
 * Whoever answers requests: the engine, in this process or behind the socket. Safe from many
 * threads.
 */
public interface CtrlHandler {
  /**
   * Answers one request; may block as long as the request says (waits), and throws rather than
   * answer by half.
   *
   * @throws blksnap.error.BlkSnapException what the request asked for cannot be done; nothing was
   *     changed
   */
  CtrlReply handle(CtrlRequest request) throws IOException, InterruptedException;

  /**
   * As {@link #handle(CtrlRequest)}, and tells how far it is, if it takes long; telling after the
   * answer does nothing. Ends with {@code ECANCELED}, and nothing changed, where that is possible
   * once the watcher has given up.
   */
  default CtrlReply handle(CtrlRequest request, CtrlWatcher watcher)
      throws IOException, InterruptedException {
    return handle(request);
  }
}
