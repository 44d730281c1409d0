package blksnap.ctrl;

import java.io.IOException;
import java.util.function.Consumer;

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
   * As {@link #handle(CtrlRequest)}, and tells how far it is, if it takes long. Telling is cheap,
   * may be done often, does not fail, and after the answer it does nothing.
   */
  default CtrlReply handle(CtrlRequest request, Consumer<CtrlProgress> progress)
      throws IOException, InterruptedException {
    return handle(request);
  }
}
