package blksnap.cli.live;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;

/**
 * Shows something again at intervals: in place on a {@link Screen}, until the user leaves it with
 * {@code q} or Ctrl-C, with j, k, arrows and pages to move in it; elsewhere as blocks one below the
 * other. One thread.
 */
public final class LiveView {
  private static final long NANOS_PER_MILLI = 1_000_000;

  /** What is shown. */
  public interface Content {
    /** Asks anew. */
    void refresh() throws IOException, InterruptedException;

    /** What was asked last, for a screen that is so many columns wide. */
    List<String> screen(int columns);

    /** Prints what was asked last, where there is no screen. */
    void print();

    /** A key was pressed that this class does not know; what is shown may look different now. */
    default void key(int key) {}
  }

  /** Whether whoever reads the output has gone. */
  public interface Reader {
    boolean isGone();
  }

  private final Content content;
  private final long intervalMillis;
  private final long count;

  /** The first line that is on the screen. */
  private int top;

  /**
   * @param intervalMillis positive
   * @param count how often it is shown; {@link Long#MAX_VALUE} for ever
   */
  public LiveView(Content content, long intervalMillis, long count) {
    if (intervalMillis <= 0 || count <= 0) {
      throw new IllegalArgumentException(count + " times every " + intervalMillis + " ms");
    }
    this.content = content;
    this.intervalMillis = intervalMillis;
    this.count = count;
  }

  /** Shows it in place; returns when the count is reached or the user leaves. */
  public void run(Screen screen) throws IOException {
    try {
      for (long shown = 0; shown < count; shown++) {
        content.refresh();
        long due = System.nanoTime() + intervalMillis * NANOS_PER_MILLI;
        if (!show(screen, due)) {
          return;
        }
      }
    } catch (InterruptedException | InterruptedIOException _) {
      // Ctrl-C leaves a view, as in every other program that has one.
    }
  }

  /** Whether to go on after {@code dueNanos}. */
  private boolean show(Screen screen, long dueNanos) throws IOException {
    long left = dueNanos - System.nanoTime();
    while (left > 0) {
      List<String> lines = content.screen(screen.columns());
      top = Math.clamp(top, 0, Math.max(0, lines.size() - screen.rows()));
      screen.draw(lines.subList(top, lines.size()));
      OptionalInt key = screen.key(Math.max(1, left / NANOS_PER_MILLI));
      if (key.isPresent()) {
        switch (key.getAsInt()) {
          case 'q', 'Q', Screen.END_OF_INPUT -> {
            return false;
          }
          case ' ' -> {
            return true;
          }
          case 'j', Screen.DOWN -> top++;
          case 'k', Screen.UP -> top--;
          case Screen.PAGE_DOWN -> top += screen.rows() - 1;
          case Screen.PAGE_UP -> top -= screen.rows() - 1;
          default -> content.key(key.getAsInt());
        }
      }
      left = dueNanos - System.nanoTime();
    }
    return true;
  }

  /** Prints it again and again, with an empty line between. */
  public void run(PrintWriter out, boolean separated, Reader reader)
      throws IOException, InterruptedException {
    for (long shown = 0; shown < count && !reader.isGone(); shown++) {
      if (shown > 0) {
        TimeUnit.MILLISECONDS.sleep(intervalMillis);
      }
      content.refresh();
      if (shown > 0 && separated) {
        out.println();
      }
      content.print();
      out.flush();
    }
  }
}
