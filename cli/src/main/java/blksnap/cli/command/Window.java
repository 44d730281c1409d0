package blksnap.cli.command;

import blksnap.cli.live.Terminals;
import java.io.IOException;
import org.jline.terminal.Terminal;

/** The size of the window that this process prints to. */
final class Window {
  static final int USUAL_COLUMNS = 80;

  private Window() {}

  /** Columns of the terminal, positive; {@value #USUAL_COLUMNS} when they are not known. */
  static int columns(Environment environment) {
    if (!environment.terminalOut() && !environment.terminalErr()) {
      return USUAL_COLUMNS;
    }
    try (Terminal terminal = Terminals.ofProcessOrDumb()) {
      return terminal.getWidth() > 0 ? terminal.getWidth() : USUAL_COLUMNS;
    } catch (IOException e) {
      return USUAL_COLUMNS;
    }
  }
}
