package blksnap.log;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * The last {@value #CAPACITY} log lines, each with a sequence number, so that a reader can go on
 * where it stopped and notice what it missed. Safe from many threads; adding never blocks on a
 * reader.
 */
public final class LogRing {
  /**
   * Lines kept; a line is cut at {@value #MAX_LINE_CHARS} characters, so the ring stays under 2
   * MiB.
   */
  public static final int CAPACITY = 4096;

  /** Characters kept of one line. */
  public static final int MAX_LINE_CHARS = 500;

  /** How grave a line is; the numbers are the kernel's. */
  public enum Level {
    ERROR(3),
    WARNING(4),
    INFO(6),
    DEBUG(7);

    private final int number;

    Level(int number) {
      this.number = number;
    }

    public int number() {
      return number;
    }
  }

  /**
   * One line.
   *
   * @param sequence 0 for the first line since load, then one more each
   * @param sinceLoadMicros time since the ring was made
   */
  public record Line(long sequence, long sinceLoadMicros, Level level, String text) {}

  private final LongSupplier nanoClock;
  private final long startNanos;
  private final Consumer<Line> mirror;

  /** Guards {@link #lines} and {@link #next}; never held across I/O. */
  private final ReentrantLock lock = new ReentrantLock();

  private final Condition added = lock.newCondition();
  private final ArrayDeque<Line> lines = new ArrayDeque<>();
  private long next;

  /**
   * @param nanoClock monotonic nanoseconds
   * @param mirror also gets every line, outside the lock (the daemon's stderr, or nothing)
   */
  public LogRing(LongSupplier nanoClock, Consumer<Line> mirror) {
    this.nanoClock = nanoClock;
    this.startNanos = nanoClock.getAsLong();
    this.mirror = mirror;
  }

  /** A ring on the system clock that mirrors nowhere. */
  public LogRing() {
    this(System::nanoTime, line -> {});
  }

  public void error(String text) {
    add(Level.ERROR, text);
  }

  public void warning(String text) {
    add(Level.WARNING, text);
  }

  public void info(String text) {
    add(Level.INFO, text);
  }

  public void debug(String text) {
    add(Level.DEBUG, text);
  }

  private void add(Level level, String text) {
    String printable = printable(text);
    Line line;
    lock.lock();
    try {
      line = new Line(next++, (nanoClock.getAsLong() - startNanos) / 1_000, level, printable);
      if (lines.size() == CAPACITY) {
        lines.removeFirst();
      }
      lines.addLast(line);
      added.signalAll();
    } finally {
      lock.unlock();
    }
    mirror.accept(line);
  }

  /** Lines with a sequence number of at least {@code from}, oldest first, at most {@code max}. */
  public List<Line> since(long from, int max) {
    lock.lock();
    try {
      var found = new ArrayList<Line>();
      for (Line line : lines) {
        if (line.sequence() >= from && found.size() < max) {
          found.add(line);
        }
      }
      return found;
    } finally {
      lock.unlock();
    }
  }

  /**
   * As {@link #since}, but waits for a first line up to {@code timeoutMillis}; empty when none
   * came.
   */
  public List<Line> await(long from, int max, long timeoutMillis) throws InterruptedException {
    lock.lock();
    try {
      long left = TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
      while (next <= from && left > 0) {
        left = added.awaitNanos(left);
      }
    } finally {
      lock.unlock();
    }
    return since(from, max);
  }

  /** Control characters from a client's name or path must not reach a terminal. */
  private static String printable(String text) {
    String cut = text.length() <= MAX_LINE_CHARS ? text : text.substring(0, MAX_LINE_CHARS);
    var clean = new StringBuilder(cut.length());
    cut.codePoints().forEach(c -> clean.appendCodePoint(Character.isISOControl(c) ? '\uFFFD' : c));
    return clean.toString();
  }
}
