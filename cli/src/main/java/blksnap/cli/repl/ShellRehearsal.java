package blksnap.cli.repl;

import blksnap.cli.command.CommandContext;
import blksnap.cli.live.Terminals;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.function.Function;
import org.jline.terminal.Terminal;
import org.jline.utils.Signals;
import picocli.CommandLine;

/**
 * A short session that nobody types and nobody sees: start, prompt, completion, a line, the end.
 */
public final class ShellRehearsal {
  private static final String KEYS = "cbt info \tvm1\rexit\r";

  private ShellRehearsal() {}

  /**
   * @param tree makes the tree of commands that the shell takes
   */
  public static void run(CommandContext context, Function<CommandContext, CommandLine> tree)
      throws IOException {
    var keys = new ByteArrayInputStream(KEYS.getBytes(StandardCharsets.UTF_8));
    Object before = Signals.register("WINCH", () -> {});
    Signals.unregister("WINCH", before);
    try (Terminal terminal = Terminals.ofStreams(keys, OutputStream.nullOutputStream());
        var session = new ShellSession(context, tree, terminal.writer(), terminal.writer())) {
      var _ = new InteractiveShell(session, terminal).run();
    }
  }
}
