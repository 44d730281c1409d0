package blksnap.cli.it;

import blksnap.testing.Commands;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A program in a terminal of its own, kept by tmux: keys go in, the screen is read. */
final class TypedTerminal implements Closeable {
  private final Path socket;

  private TypedTerminal(Path socket) {
    this.socket = socket;
  }

  /** Skips the test, or fails it, where there is no tmux. */
  static void require() {
    Lab.need("tmux");
  }

  /**
   * Starts a program on a screen of 120 by 40.
   *
   * @param socket of a tmux server for this terminal alone
   */
  static TypedTerminal start(Path socket, Map<String, String> variables, String... command)
      throws IOException {
    var terminal = new TypedTerminal(socket);
    List<String> words = new ArrayList<>(List.of("env"));
    variables.forEach((name, value) -> words.add(name + "=" + value));
    words.addAll(List.of("tmux", "-S", socket.toString(), "-f", "/dev/null"));
    words.addAll(List.of("new-session", "-d", "-x", "120", "-y", "40"));
    words.addAll(List.of(command));
    Commands.run(words.toArray(String[]::new));
    return terminal;
  }

  /** Types text as it is. */
  TypedTerminal type(String text) throws IOException {
    tmux("send-keys", "-l", "--", text);
    return this;
  }

  /** Presses keys by their names, such as {@code Tab} and {@code C-u}. */
  TypedTerminal press(String... keys) throws IOException {
    List<String> words = new ArrayList<>(List.of("send-keys"));
    words.addAll(List.of(keys));
    tmux(words.toArray(String[]::new));
    return this;
  }

  TypedTerminal resize(int columns, int rows) throws IOException {
    tmux("resize-window", "-x", Integer.toString(columns), "-y", Integer.toString(rows));
    return this;
  }

  /** Of the program that was started. */
  long pid() throws IOException {
    return Long.parseLong(tmux("display-message", "-p", "#{pane_pid}").strip());
  }

  /** Whether a program has put a screen of its own over what was there. */
  boolean isAlternate() throws IOException {
    return tmux("display-message", "-p", "#{alternate_on}").strip().equals("1");
  }

  /** The lines of the screen, without blanks at their ends. */
  String screen() throws IOException {
    return tmux("capture-pane", "-p");
  }

  /** Waits until a line of the screen begins with {@code text}. */
  void awaitLine(String text) throws IOException {
    Lab.until(
        "a line '" + text + "'", () -> screen().lines().anyMatch(line -> line.startsWith(text)));
  }

  private String tmux(String... words) throws IOException {
    List<String> command = new ArrayList<>(List.of("tmux", "-S", socket.toString()));
    command.addAll(List.of(words));
    return Commands.run(command.toArray(String[]::new));
  }

  /** Ends the program and the terminal. */
  @Override
  public void close() throws IOException {
    tmux("kill-server");
  }
}
