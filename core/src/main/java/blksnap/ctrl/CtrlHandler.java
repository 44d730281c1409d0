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
}
