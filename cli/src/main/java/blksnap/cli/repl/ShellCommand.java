package blksnap.cli.repl;

import blksnap.cli.command.CommandContext;
import blksnap.cli.live.Terminals;
import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.function.Function;
import org.jline.terminal.Terminal;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Starts the shell on a terminal, or runs the lines that are piped in. */
@Command(
    name = "shell",
    description = {
      "Start an interactive shell, or run the commands of a file or pipe.",
      "It takes the same commands without the program's name, and also cd, ls, tree and pwd for the"
          + " status tree, 'echo VALUE > NODE' to set a value, and 'watch COMMAND' to repeat one.",
      "Lines from a file or pipe are run until the first that fails, whose number is told. A text "
          + "between quotes may have several lines."
    },
    footer = {
      "",
      "Tab completes, Ctrl-R searches the history, Ctrl-C cancels the line or the command, Ctrl-D "
          + "leaves.",
      "A line that begins with a blank, or has --pre or --post, is not kept in the history.",
      "",
      "Examples:",
      "  blksnap shell",
      "  printf 'attach /srv/a.img\\nattach /srv/b.img\\n' | blksnap shell"
    })
public final class ShellCommand implements Callable<Integer> {
  private final CommandContext context;
  private final Function<CommandContext, CommandLine> tree;

  @Option(
      names = "--keep-going",
      description = "Run the lines behind one that fails, too; the exit code tells of it.")
  boolean keepGoing;

  /**
   * @param tree makes the tree of commands that the shell takes, for the shell's own context
   */
  public ShellCommand(CommandContext context, Function<CommandContext, CommandLine> tree) {
    this.context = context;
    this.tree = tree;
  }

  @Override
  public Integer call() throws IOException {
    if (!context.environment().terminalIn()) {
      try (var session = new ShellSession(context, tree, context.out(), context.err())) {
        return new ScriptShell(session, context.in(), context.err(), keepGoing).run();
      }
    }
    try (Terminal terminal = Terminals.ofProcess();
        var session = new ShellSession(context, tree, terminal.writer(), terminal.writer())) {
      session.context().drawOn(terminal);
      return new InteractiveShell(session, terminal).run();
    }
  }
}
