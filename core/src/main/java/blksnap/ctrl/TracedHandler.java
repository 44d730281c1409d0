package blksnap.ctrl;

import blksnap.error.BlkSnapException;
import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * Shows what a handler in this process is asked and answers, as the lines that the control socket
 * would carry. Safe from many threads.
 */
public final class TracedHandler implements CtrlHandler {
  private final CtrlHandler handler;
  private final AtomicLong lastId;
  private final Consumer<String> trace;

  /**
   * @param lastId the number of the last request before; each one counts it up
   * @param trace sees requests behind {@code "--> "}, what is answered behind {@code "<-- "}
   */
  public TracedHandler(CtrlHandler handler, AtomicLong lastId, Consumer<String> trace) {
    this.handler = handler;
    this.lastId = lastId;
    this.trace = trace;
  }

  @Override
  public CtrlReply handle(CtrlRequest request) throws IOException, InterruptedException {
    long id = lastId.incrementAndGet();
    show("--> ", CtrlCodec.request(id, request, false));
    return answer(id, () -> handler.handle(request));
  }

  @Override
  public CtrlReply handle(CtrlRequest request, CtrlWatcher watcher)
      throws IOException, InterruptedException {
    long id = lastId.incrementAndGet();
    show("--> ", CtrlCodec.request(id, request, true, true));
    var shown =
        new CtrlWatcher() {
          @Override
          public void accept(CtrlProgress progress) {
            show("<-- ", CtrlCodec.progress(new JsonPrimitive(id), progress));
            watcher.accept(progress);
          }

          @Override
          public boolean hasGivenUp() {
            return watcher.hasGivenUp();
          }
        };
    return answer(id, () -> handler.handle(request, shown));
  }

  private interface Asked {
    CtrlReply answer() throws IOException, InterruptedException;
  }

  private CtrlReply answer(long id, Asked asked) throws IOException, InterruptedException {
    try {
      CtrlReply reply = asked.answer();
      show("<-- ", CtrlCodec.reply(new JsonPrimitive(id), reply));
      return reply;
    } catch (BlkSnapException e) {
      show("<-- ", CtrlCodec.error(new JsonPrimitive(id), e));
      throw e;
    }
  }

  private void show(String sign, byte[] line) {
    trace.accept(sign + new String(line, 0, line.length - 1, StandardCharsets.UTF_8));
  }
}
