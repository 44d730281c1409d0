package blksnap.cli.live;

import java.io.Closeable;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import org.jline.terminal.Attributes;
import org.jline.terminal.Size;
import org.jline.terminal.Terminal;
import org.jline.utils.AttributedString;
import org.jline.utils.Curses;
import org.jline.utils.InfoCmp.Capability;
import org.jline.utils.NonBlockingReader;

/**
 * The whole of a terminal, for as long as it is open; what was on it before is there again
 * afterwards, also when a signal ends the process. One thread, which an interrupt (Ctrl-C) frees
 * from {@link #key}.
 */
public final class Screen implements Closeable {
  /** What the end of the input counts as. */
  static final int END_OF_INPUT = 4; // Ctrl-D

  /** Keys that are no characters. */
  static final int UP = 0x110000;

  static final int DOWN = UP + 1;
  static final int PAGE_UP = UP + 2;
  static final int PAGE_DOWN = UP + 3;

  private static final String HOME = "\u001b[H";
  private static final String CLEAR_LINE = "\u001b[K";
  private static final String CLEAR_BELOW = "\u001b[J";
  private static final int ESCAPE = 27;

  /** The rest of an escape sequence comes so soon, or it was the key itself. */
  private static final long SEQUENCE_MILLIS = 50;

  /** Characters of an escape sequence that are read at most. */
  private static final int MAX_SEQUENCE = 8;

  /** How often is looked whether the window was resized. */
  private static final long LOOK_MILLIS = 200;

  private final Terminal terminal;
  private final boolean own;
  private final Attributes before;
  private final OnShutdown onShutdown;

  /** What shows again what was there before. */
  private final String leaving;

  private Size size = new Size();

  /** A signal ends the process: nothing is drawn any more. Guarded by this. */
  private boolean left;

  /** What is on the screen; empty when that is not known. */
  private String shown = "";

  private Screen(Terminal terminal, boolean own) {
    this.terminal = terminal;
    this.own = own;
    this.before = terminal.getAttributes();
    this.leaving = sequence(terminal, Capability.cursor_visible, Capability.exit_ca_mode);
    this.onShutdown = new OnShutdown("blksnap-screen", this::leaveAtShutdown);
    enter();
    adapt();
  }

  /** The terminal of this process. Ctrl-C interrupts the calling thread from now on. */
  public static Screen ofProcess() throws IOException {
    Terminal terminal = Terminals.ofProcess();
    Thread caller = Thread.currentThread();
    terminal.handle(Terminal.Signal.INT, _ -> caller.interrupt());
    return new Screen(terminal, true);
  }

  /** A terminal that somebody else will go on to use, who also knows what Ctrl-C means. */
  public static Screen on(Terminal terminal) {
    return new Screen(terminal, false);
  }

  public int columns() {
    return Math.max(1, size.getColumns());
  }

  public int rows() {
    return Math.max(1, size.getRows());
  }

  /**
   * Shows these lines and nothing else; what does not fit is left out.
   *
   * @param lines may have colour
   */
  public void draw(List<String> lines) {
    var text = new ArrayList<String>();
    for (String line : lines.subList(0, Math.min(lines.size(), rows()))) {
      var whole = AttributedString.fromAnsi(line);
      text.add(whole.columnSubSequence(0, columns()).toAnsi() + CLEAR_LINE);
    }
    String all = HOME + String.join("\r\n", text) + CLEAR_BELOW;
    if (!all.equals(shown)) {
      put(all);
      shown = all;
    }
  }

  private synchronized void put(String text) {
    if (!left) {
      terminal.writer().print(text);
      terminal.flush();
    }
  }

  /**
   * Waits for a key.
   *
   * @return nothing when the time was over or the window has another size now
   * @throws java.io.InterruptedIOException at an interrupt
   */
  public OptionalInt key(long waitMillis) throws IOException {
    long deadline = System.nanoTime() + waitMillis * 1_000_000;
    while (true) {
      long left = Math.max(1, (deadline - System.nanoTime()) / 1_000_000);
      int key = terminal.reader().read(Math.min(left, LOOK_MILLIS));
      if (key == NonBlockingReader.EOF) {
        return OptionalInt.of(END_OF_INPUT);
      }
      if (key >= 0) {
        return OptionalInt.of(key == ESCAPE ? sequence() : key);
      }
      if (adapt() || System.nanoTime() - deadline >= 0) {
        return OptionalInt.empty();
      }
    }
  }

  /** The key that sent an escape sequence; the escape key for one that is not known. */
  private int sequence() throws IOException {
    var sequence = new StringBuilder();
    int next = terminal.reader().read(SEQUENCE_MILLIS);
    while (next >= 0 && sequence.length() < MAX_SEQUENCE) {
      sequence.append((char) next);
      boolean inner = sequence.length() == 1 ? next == '[' || next == 'O' : next < '@';
      next = inner ? terminal.reader().read(SEQUENCE_MILLIS) : -1;
    }
    return switch (sequence.toString()) {
      case "[A", "OA" -> UP;
      case "[B", "OB" -> DOWN;
      case "[5~" -> PAGE_UP;
      case "[6~" -> PAGE_DOWN;
      default -> ESCAPE;
    };
  }

  /** Whether the window has another size than before. */
  private boolean adapt() {
    Size now = terminal.getSize();
    if (now.equals(size)) {
      return false;
    }
    size = now;
    shown = "";
    return true;
  }

  private static String sequence(Terminal terminal, Capability... capabilities) {
    var text = new StringWriter();
    for (Capability capability : capabilities) {
      Curses.tputs(text, terminal.getStringCapability(capability));
    }
    return text.toString();
  }

  private synchronized void enter() {
    if (!left) {
      var _ = terminal.enterRawMode();
      terminal.puts(Capability.enter_ca_mode);
      terminal.puts(Capability.cursor_invisible);
      terminal.flush();
    }
  }

  /**
   * Goes round the terminal, which closes itself when the process ends, and sets its attributes as
   * they were, in whatever order.
   */
  private synchronized void leaveAtShutdown() {
    left = true;
    try (var tty = new FileOutputStream("/dev/tty")) {
      tty.write(leaving.getBytes(StandardCharsets.US_ASCII));
    } catch (IOException _) {
      // There is no terminal any more.
    }
  }

  @Override
  public void close() throws IOException {
    onShutdown.close();
    terminal.writer().print(leaving);
    terminal.flush();
    terminal.setAttributes(before);
    if (own) {
      terminal.close();
    }
  }
}
