package blksnap.cli.live;

import blksnap.cli.output.HumanSize;
import blksnap.cli.output.Printable;
import blksnap.ctrl.CtrlProgress;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.IntSupplier;
import java.util.function.LongSupplier;

/**
 * Progress for people: stage, bar, part, rate, remaining time and amounts in one line of a
 * terminal, which is drawn over itself and is empty at the end.
 */
public final class ProgressBar extends Progress {
  private static final long NANOS_PER_MILLI = 1_000_000;
  private static final double NANOS_PER_SECOND = 1e9;
  private static final int BAR = 24;
  private static final String BACK_AND_CLEAR = "\r\u001b[K";

  /** Units that are bytes have this at the end of their stage's name. */
  private static final String BYTES = "bytes";

  private final PrintWriter out;
  private final LongSupplier nanoClock;
  private final IntSupplier columns;
  private final boolean unicode;
  private final long startNanos;
  private long dueNanos;
  private boolean drawn;
  private String stage = "";
  private long stageNanos;
  private long stageDone;

  /**
   * @param columns of the terminal, asked only if there is a bar; its line has one less, so that it
   *     never wraps
   * @param unicode whether the bar may be drawn with more than ASCII
   */
  public ProgressBar(
      PrintWriter out, LongSupplier nanoClock, IntSupplier columns, boolean unicode) {
    this.out = out;
    this.nanoClock = nanoClock;
    this.columns = columns;
    this.unicode = unicode;
    this.startNanos = nanoClock.getAsLong();
    this.dueNanos = startNanos + PATIENCE_MILLIS * NANOS_PER_MILLI;
  }

  @Override
  void show(CtrlProgress progress, Map<String, Long> amounts) {
    long now = nanoClock.getAsLong();
    if (!progress.stage().equals(stage) || progress.done() < stageDone) {
      stage = progress.stage();
      stageNanos = now;
      stageDone = progress.done();
    }
    if (now - dueNanos < 0) {
      return;
    }
    dueNanos = now + INTERVAL_MILLIS * NANOS_PER_MILLI;
    var all = new StringBuilder(line(progress, now));
    amounts.forEach(
        (word, bytes) -> all.append("  ").append(HumanSize.of(bytes)).append(' ').append(word));
    String line = all.toString();
    int room = Math.max(1, columns.getAsInt() - 1);
    out.print(BACK_AND_CLEAR + line.substring(0, Math.min(line.length(), room)));
    out.flush();
    drawn = true;
  }

  private String line(CtrlProgress progress, long now) {
    double seconds = (now - stageNanos) / NANOS_PER_SECOND;
    double rate = seconds > 0 ? (progress.done() - stageDone) / seconds : 0;
    String name = Printable.of(progress.stage());
    if (progress.total().isEmpty() || progress.total().getAsLong() == 0) {
      long elapsed = (long) ((now - startNanos) / NANOS_PER_SECOND);
      return name + "  " + TopText.duration(OptionalLong.of(elapsed));
    }
    long total = progress.total().getAsLong();
    double part = (double) progress.done() / total;
    var line = new StringBuilder(name).append("  ").append(bar(part));
    line.append(String.format(Locale.ROOT, " %3d %%", (int) (100 * part)));
    if (rate > 0) {
      long left = (long) Math.ceil((total - progress.done()) / rate);
      line.append("  ").append(rate(name, rate)).append("/s  ");
      line.append(TopText.duration(OptionalLong.of(left))).append(" left");
    }
    return line.toString();
  }

  private static String rate(String stage, double rate) {
    return stage.endsWith(BYTES) ? HumanSize.of((long) rate) : TopText.decimal(rate);
  }

  private String bar(double part) {
    int full = (int) Math.round(part * BAR);
    return unicode
        ? "█".repeat(full) + "░".repeat(BAR - full)
        : "[" + "#".repeat(full) + ".".repeat(BAR - full) + "]";
  }

  @Override
  public void close() {
    if (drawn) {
      out.print(BACK_AND_CLEAR);
      out.flush();
      drawn = false;
    }
  }
}
