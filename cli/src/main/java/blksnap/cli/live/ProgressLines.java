package blksnap.cli.live;

import blksnap.ctrl.CtrlProgress;
import com.google.gson.JsonObject;
import java.io.PrintWriter;
import java.util.Map;
import java.util.function.LongSupplier;

/**
 * Progress for programs: {@code {"progress":{"stage":"...","done":3,"total":10}}} on a line, and
 * behind the total the bytes that were read, stored and so on where that is known.
 */
public final class ProgressLines extends Progress {
  private static final long NANOS_PER_MILLI = 1_000_000;

  /** Between two lines. */
  private static final long LINE_MILLIS = 1_000;

  private final PrintWriter out;
  private final LongSupplier nanoClock;
  private long dueNanos;

  public ProgressLines(PrintWriter out, LongSupplier nanoClock) {
    this.out = out;
    this.nanoClock = nanoClock;
    this.dueNanos = nanoClock.getAsLong() + PATIENCE_MILLIS * NANOS_PER_MILLI;
  }

  @Override
  void show(CtrlProgress progress, Map<String, Long> amounts) {
    long now = nanoClock.getAsLong();
    if (now - dueNanos < 0) {
      return;
    }
    dueNanos = now + LINE_MILLIS * NANOS_PER_MILLI;
    var inner = new JsonObject();
    inner.addProperty("stage", progress.stage());
    inner.addProperty("done", progress.done());
    if (progress.total().isPresent()) {
      inner.addProperty("total", progress.total().getAsLong());
    }
    amounts.forEach(inner::addProperty);
    var line = new JsonObject();
    line.add("progress", inner);
    out.println(line);
    out.flush();
  }

  @Override
  public void close() {}
}
