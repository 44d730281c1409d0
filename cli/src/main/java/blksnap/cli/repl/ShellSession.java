package blksnap.cli.repl;

import blksnap.cli.command.ColorMode;
import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Defaults;
import blksnap.cli.command.Directories;
import blksnap.cli.command.Environment;
import blksnap.cli.model.Models;
import java.io.Closeable;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.function.Function;
import org.jline.reader.Parser;
import org.jline.reader.impl.DefaultParser;
import picocli.CommandLine;

/**
 * From the first line to the last: the tree of commands, the kept way to the engine, and whether it
 * is over.
 */
final class ShellSession implements Closeable {
  private final CommandContext outer;
  private final Function<CommandContext, CommandLine> trees;
  private final CommandContext context;
  private final FutureTask<CommandLine> tree = new FutureTask<>(this::sessionTree);
  private final KeptLink kept;
  private final Environment environment;
  private final Thread worker = Thread.currentThread();

  /** Guards {@link #running}: an interrupt must reach the command, and nothing behind it. */
  private final Object runningLock = new Object();

  private boolean running;

  /** The engine was asked to give up what the running command wants. */
  private boolean cancelling;

  /** The running command was. */
  private volatile boolean interrupted;

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
    this.outer = outer;
    this.trees = trees;
    Directories directories = outer.directories();
    kept = new KeptLink(outer.opener(), directories, outer.options().embedded());
    environment =
        outer
            .environment()
            .with(Directories.RUN_VARIABLE, directories.run().toString())
            .with(Directories.STATE_VARIABLE, directories.state().toString());
    context = context(environment, out, err);
  }

  private CommandLine sessionTree() {
    CommandLine commands = tree(context);
    commands.addSubcommand(Models.of(new CdCommand(context)));
    commands.addSubcommand(Models.of(new EchoCommand(context)));
    commands.addSubcommand(Models.of(new ExitCommand(this)));
    var watch = new CommandLine(Models.of(new WatchCommand(context, this)));
    watch.setStopAtPositional(true); // what stands behind the watched command's name is for it
    commands.addSubcommand(watch);
    return alike(commands);
  }

  /**
   * Gives our own commands what the others have: where they print, and the layout of their help.
   */
  private static CommandLine alike(CommandLine commands) {
    return commands
        .setOut(commands.getOut())
        .setErr(commands.getErr())
        .setUsageHelpWidth(commands.getUsageHelpWidth())
        .setHelpSectionMap(commands.getHelpSectionMap())
        .setHelpFactory(commands.getHelpFactory());
  }

  private CommandContext context(Environment where, PrintWriter out, PrintWriter err) {
    return new CommandContext(
        where,
        kept,
        outer.in(),
        out,
        err,
        new Defaults(
            outer.format(), outer.options().color().orElse(ColorMode.AUTO), outer.debug(), true));
  }

  /** What a line may do that changes nothing of the session. */
  private CommandLine tree(CommandContext of) {
    CommandLine commands = trees.apply(of);
    commands.addSubcommand(Models.of(new LsCommand(of)));
    commands.addSubcommand(Models.of(new TreeCommand(of)));
    commands.addSubcommand(Models.of(new PwdCommand(of)));
    return alike(commands);
  }

  /**
   * Runs a line within the one that runs, and returns what it printed, also of what went wrong.
   *
   * @throws InterruptedException when the line that runs was interrupted meanwhile
   */
  String capture(List<String> words) throws IOException, InterruptedException {
    var text = new StringWriter();
    var writer = new PrintWriter(text);
    try (CommandContext inner = context(environment.withoutInput(), writer, writer)) {
      inner.moveTo(context.place());
      var _ = tree(inner).execute(words.toArray(String[]::new));
    }
    if (interrupted) {
      throw new InterruptedException("the watched command was interrupted");
    }
    writer.flush();
    return text.toString();
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

  /** Every command that a line may name; made when it is first asked for, by any thread. */
  CommandLine tree() {
    tree.run(); // unless it was run, or is being run
    try {
      return tree.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the commands were made", e);
    } catch (ExecutionException e) {
      throw new IllegalStateException("the commands cannot be made", e.getCause());
    }
  }

  KeptLink link() {
    return kept;
  }

  /** Runs one line, on the thread that made the session, and returns its exit code. */
  int execute(List<String> words) throws IOException {
    synchronized (runningLock) {
      running = true;
      cancelling = false;
      interrupted = false;
    }
    try {
      return tree().execute(words.toArray(String[]::new));
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

  /**
   * Ends the command that runs now, if one does; from any thread. What the engine has begun for it
   * is given up and undone where that is possible; the second time nobody waits for that.
   */
  void interrupt() {
    synchronized (runningLock) {
      if (running && (cancelling || !cancel())) {
        interrupted = true;
        worker.interrupt();
      }
    }
  }

  private boolean cancel() {
    try {
      cancelling = context.cancel();
    } catch (IOException e) {
      return false; // the engine is gone, and the command will say so
    }
    return cancelling;
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
