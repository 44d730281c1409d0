package blksnap.cli.reference;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.EnumWord;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.output.OutputFormat;
import com.google.gson.JsonObject;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Parameters;

/** Prints the completion script for a shell; needs no engine. */
@Command(
    name = "completion",
    description = "Print the completion script for bash or zsh. Needs no engine.",
    footer = {
      "",
      "Examples:",
      "  blksnap completion bash > /etc/bash_completion.d/blksnap",
      "  blksnap completion zsh > \"$${fpath[1]}/_blksnap\""
    })
public final class CompletionCommand implements Callable<Integer> {
  /** The shells; the names are what a user types. */
  enum Shell {
    BASH,
    ZSH;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** For picocli. */
  static final class ToShell implements ITypeConverter<Shell> {
    @Override
    public Shell convert(String text) {
      return EnumWord.parse(text, Shell.values());
    }
  }

  private final CommandContext context;
  private final Supplier<CommandLine> tree;

  @Parameters(
      paramLabel = "SHELL",
      converter = ToShell.class,
      description = "One of: ${COMPLETION-CANDIDATES}.")
  Shell shell = Shell.BASH;

  /**
   * @param tree makes the whole tree of commands
   */
  public CompletionCommand(CommandContext context, Supplier<CommandLine> tree) {
    this.context = context;
    this.tree = tree;
  }

  @Override
  public Integer call() {
    var spec = tree.get().getCommandSpec();
    String script =
        switch (shell) {
          case BASH -> new BashCompletion(spec).script();
          case ZSH -> new ZshCompletion(spec).script();
        };
    if (context.format() == OutputFormat.JSON) {
      var object = new JsonObject();
      object.addProperty("script", script);
      context.out().println(object);
    } else {
      context.out().print(script);
    }
    return ExitCodes.DONE;
  }
}
