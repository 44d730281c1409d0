package blksnap.cli.repl;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Defaults;
import blksnap.cli.command.EngineLink;
import blksnap.cli.command.Environment;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jline.terminal.Size;
import org.jline.terminal.Terminal;
import org.jline.terminal.impl.ExternalTerminal;
import picocli.CommandLine;

/** A shell on a terminal of our own, whose keys a test presses and whose screen it reads. */
public final class TypedShell implements Closeable {
  private static final long PATIENCE_SECONDS = 30;

  private final PipedOutputStream keys = new PipedOutputStream();
  private final Screen screen = new Screen();
  private final ExternalTerminal terminal;
  private final CompletableFuture<Integer> end = new CompletableFuture<>();

  private TypedShell(Environment environment) throws IOException {
    String type = environment.variable("TERM").orElse("xterm");
    terminal =
        new ExternalTerminal(
            "test", type, new PipedInputStream(keys), screen, StandardCharsets.UTF_8);
    terminal.setSize(new Size(120, 40));
  }

  /**
   * Starts the shell on a thread of its own.
   *
   * @param options of the line that starts it
   */
  public static TypedShell open(
      Environment environment,
      EngineLink.Opener opener,
      Function<CommandContext, CommandLine> tree,
      String... options)
      throws IOException {
    var shell = new TypedShell(environment);
    Thread.ofPlatform()
        .daemon()
        .name("typed-shell")
        .start(() -> shell.run(environment, opener, tree, options));
    return shell;
  }

  private void run(
      Environment environment,
      EngineLink.Opener opener,
      Function<CommandContext, CommandLine> tree,
      String... options) {
    var outer =
        new CommandContext(
            environment,
            opener,
            InputStream.nullInputStream(),
            new PrintWriter(terminal.writer()),
            new PrintWriter(terminal.writer()),
            Defaults.ONE_SHOT);
    tree.apply(outer).parseArgs(options);
    try (var session = new ShellSession(outer, tree, terminal.writer(), terminal.writer())) {
      session.context().drawOn(terminal);
      end.complete(new InteractiveShell(session, terminal).run());
    } catch (IOException | RuntimeException | Error e) {
      end.completeExceptionally(e);
    }
  }

  public TypedShell type(String text) throws IOException {
    keys.write(text.getBytes(StandardCharsets.UTF_8));
    keys.flush();
    return this;
  }

  /** Changes the size of the window. */
  public TypedShell resize(int columns, int rows) {
    terminal.setSize(new Size(columns, rows));
    terminal.raise(Terminal.Signal.WINCH);
    return this;
  }

  /** Starts the shell over an engine that stays. */
  public static TypedShell open(
      Environment environment, EngineLink link, Function<CommandContext, CommandLine> tree)
      throws IOException {
    return open(environment, (_, _) -> link, tree);
  }

  /** Waits until the screen shows a text behind what was awaited before. */
  public TypedShell awaitText(String text) throws InterruptedException {
    screen.await(text, end);
    return this;
  }

  /** Waits for a prompt, which is a line's start and so tells that the line before is done. */
  public TypedShell awaitPrompt(String prompt) throws InterruptedException {
    return awaitText(prompt);
  }

  /** Everything that the terminal was sent. */
  public String sent() {
    return screen.toString(StandardCharsets.UTF_8);
  }

  /** The exit code. */
  public int awaitEnd() throws Exception {
    return end.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
  }

  @Override
  public void close() throws IOException {
    keys.close();
    terminal.close();
  }

  /** What the terminal was sent; guarded by itself. */
  private static final class Screen extends ByteArrayOutputStream {
    private int seen;

    @Override
    public synchronized void write(byte[] bytes, int offset, int length) {
      super.write(bytes, offset, length);
      notifyAll();
    }

    @Override
    public synchronized void write(int value) {
      super.write(value);
      notifyAll();
    }

    synchronized void await(String text, CompletableFuture<Integer> end)
        throws InterruptedException {
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
      while (true) {
        String all = toString(StandardCharsets.UTF_8);
        int at = all.indexOf(text, seen);
        if (at >= 0) {
          seen = at + text.length();
          return;
        }
        long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
        if (left <= 0 || end.isCompletedExceptionally()) {
          throw new AssertionError(
              "no '" + text + "' behind character " + seen + " of: " + all + ", end: " + end);
        }
        wait(Math.min(left, 1000));
      }
    }
  }
}
