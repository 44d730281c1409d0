package blksnap.cli.testing;

import blksnap.cli.CommandTree;
import blksnap.cli.command.CommandContext;
import blksnap.cli.command.Defaults;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.Writer;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;

/** The commands that there are, for tests that look at them and run none. */
public final class AllCommands {
  private AllCommands() {}

  /** Of a command that prints nowhere and must not ask the engine. */
  public static CommandContext context() {
    var nowhere = new PrintWriter(Writer.nullWriter());
    return new CommandContext(
        Environments.user(),
        (_, _) -> {
          throw new AssertionError("the engine was asked for");
        },
        InputStream.nullInputStream(),
        nowhere,
        nowhere,
        Defaults.ONE_SHOT);
  }

  public static CommandTree tree() {
    return new CommandTree(context());
  }

  /** The words of every command that can be run. */
  public static List<String> leaves() {
    return leaves(tree().full(), "");
  }

  private static List<String> leaves(CommandLine line, String above) {
    List<String> leaves = new ArrayList<>();
    for (CommandLine below : line.getSubcommands().values()) {
      String path = (above + " " + below.getCommandName()).strip();
      leaves.addAll(below.getSubcommands().isEmpty() ? List.of(path) : leaves(below, path));
    }
    return leaves;
  }
}
