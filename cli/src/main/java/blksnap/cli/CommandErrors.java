package blksnap.cli;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.output.Failure;
import blksnap.cli.output.OutputFormat;
import blksnap.error.Errno;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** The one place where what was thrown becomes words on stderr and an exit code. */
final class CommandErrors implements IExecutionExceptionHandler, IParameterExceptionHandler {
  private final CommandContext context;

  CommandErrors(CommandContext context) {
    this.context = context;
  }

  @Override
  public int handleExecutionException(Exception thrown, CommandLine line, ParseResult parsed) {
    return tell(thrown);
  }

  @Override
  public int handleParseException(ParameterException thrown, String[] args) {
    CommandSpec spec = thrown.getCommandLine().getCommandSpec();
    String help = "'" + spec.qualifiedName() + " --help' says what it takes";
    var failure = new Failure(Errno.EINVAL, sentence(thrown), hint(thrown, help));
    boolean upstream = spec.usageMessage().hidden(); // they know but one way to fail
    if (wantsJson(args) || (!upstream && List.of(args).contains("--json"))) {
      context.err().println(failure.toJson());
    } else {
      String line = Failure.PREFIX + failure.sentence();
      context.err().println(context.errPalette().alarm(line));
      context.err().println("hint: " + failure.hint());
    }
    if (context.debug()) {
      thrown.printStackTrace(context.err());
    }
    return upstream ? ExitCodes.FAILED : ExitCodes.USAGE;
  }

  /** Tells why a command failed. */
  int tell(Throwable thrown) {
    context.out().flush();
    Failure failure = Failure.of(thrown);
    if (context.format() == OutputFormat.JSON) {
      context.err().println(failure.toJson());
    } else {
      failure.print(context.err(), context.errPalette());
    }
    if (context.debug()) {
      thrown.printStackTrace(context.err());
    }
    context.err().flush();
    return ExitCodes.FAILED;
  }

  private static String sentence(ParameterException thrown) {
    if (thrown instanceof UnmatchedArgumentException unmatched
        && !unmatched.getUnmatched().isEmpty()) {
      String word = "'" + unmatched.getUnmatched().getFirst() + "'";
      CommandSpec spec = thrown.getCommandLine().getCommandSpec();
      if (unmatched.isUnknownOption()) {
        return "unknown option " + word;
      }
      return spec.subcommands().isEmpty()
          ? "one argument too many: " + word
          : "unknown command " + word;
    }
    String message = String.valueOf(thrown.getMessage());
    return message.substring(0, 1).toLowerCase(Locale.ROOT) + message.substring(1);
  }

  private static String hint(ParameterException thrown, String otherwise) {
    if (thrown instanceof UnmatchedArgumentException unmatched
        && !unmatched.getUnmatched().isEmpty()) {
      String word = unmatched.getUnmatched().getFirst();
      CommandSpec spec = thrown.getCommandLine().getCommandSpec();
      Optional<String> suggestion =
          unmatched.isUnknownOption()
              ? Suggestions.option(spec, word)
              : Suggestions.command(spec, word);
      return suggestion.orElse(otherwise);
    }
    return otherwise;
  }

  /** Looks for it in the words: the line was not understood, so its options may not be set. */
  private boolean wantsJson(String[] args) {
    String previous = "";
    for (String arg : args) {
      if ((previous.equals("-o") || previous.equals("--output")) && arg.equals("json")) {
        return true;
      }
      if (arg.equals("-ojson") || arg.equals("-o=json") || arg.equals("--output=json")) {
        return true;
      }
      previous = arg;
    }
    return context.format() == OutputFormat.JSON;
  }
}
