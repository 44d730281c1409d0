package blksnap.cli.repl;

import blksnap.cli.command.ColorMode;
import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Defaults;
import blksnap.cli.command.Directories;
import java.io.Closeable;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.function.Function;
import org.jline.reader.Parser;
import org.jline.reader.impl.DefaultParser;
import picocli.CommandLine;

/**
 * From the first line to the last: the tree of commands, the kept way to the engine, and whether it
 * is over.
 */
final class ShellSession implements Closeable {
  private final CommandContext context;
  private final CommandLine tree;
  private final KeptLink kept;
  private final Thread worker = Thread.currentThread();

  /** Guards {@link #running}: an interrupt must reach the command, and nothing behind it. */
  private final Object runningLock = new Object();

  private boolean running;
  private boolean over;

  /**
   * @param outer of the line that started the shell; its options hold for every line of the session
   * @param trees makes the tree of commands for the session's context
   */
  ShellSession(
      CommandContext outer,
      Function<CommandContext, CommandLine> trees,
      PrintWriter out,
      PrintWriter err)
      throws IOException {
    Directories directories = outer.directories();
    kept = new KeptLink(outer.opener(), directories, outer.options().embedded());
    context =
        new CommandContext(
            outer
                .environment()
                .with(Directories.RUN_VARIABLE, directories.run().toString())
                .with(Directories.STATE_VARIABLE, directories.state().toString()),
            kept,
            outer.in(),
            out,
            err,
            new Defaults(
                outer.format(),
                outer.options().color().orElse(ColorMode.AUTO),
                outer.debug(),
                true));
    tree = trees.apply(context);
    tree.addSubcommand(new CdCommand(context));
    tree.addSubcommand(new LsCommand(context));
    tree.addSubcommand(new TreeCommand(context));
    tree.addSubcommand(new PwdCommand(context));
    tree.addSubcommand(new EchoCommand(context));
    tree.addSubcommand(new ExitCommand(this));
  }

  /** Splits lines into words; quotes and backslashes work as in other shells. */
  static Parser parser() {
    var parser = new DefaultParser();
    parser.setEofOnUnclosedQuote(true);
    return parser;
  }

  CommandContext context() {
    return context;
  }

  CommandLine tree() {
    return tree;
  }

  KeptLink link() {
    return kept;
  }

  /** Runs one line, on the thread that made the session, and returns its exit code. */
  int execute(List<String> words) throws IOException {
    synchronized (runningLock) {
      running = true;
    }
    try {
      return tree.execute(words.toArray(String[]::new));
    } finally {
      synchronized (runningLock) {
        running = false;
        var _ = Thread.interrupted(); // one that came too late is not for the next line
      }
      context.close();
      context.out().flush();
      context.err().flush();
    }
  }

  /** Ends the command that runs now, if one does; from any thread. */
  void interrupt() {
    synchronized (runningLock) {
      if (running) {
        worker.interrupt();
      }
    }
  }

  /** Makes the line that runs the last one. */
  void leave() {
    over = true;
  }

  boolean isOver() {
    return over;
  }

  @Override
  public void close() throws IOException {
    kept.close();
  }
}
