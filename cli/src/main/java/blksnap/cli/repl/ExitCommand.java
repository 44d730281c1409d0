package blksnap.cli.repl;

import blksnap.cli.command.ExitCodes;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** Leaves the shell. */
@Command(
    name = "exit",
    aliases = "quit",
    description = "Leave the shell; the engine stays.",
    footer = {"", "Examples:", "  exit"})
final class ExitCommand implements Callable<Integer> {
  private final ShellSession session;

  ExitCommand(ShellSession session) {
    this.session = session;
  }

  @Override
  public Integer call() {
    session.leave();
    return ExitCodes.DONE;
  }
}
