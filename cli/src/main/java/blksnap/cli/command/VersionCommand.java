package blksnap.cli.command;

import blksnap.cli.output.OutputFormat;
import blksnap.ctrl.CtrlReply;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Prints the version; needs no engine. */
@Command(
    name = "version",
    description = "Print the version: major.minor.revision.build. Needs no engine.",
    footer = {"", "Examples:", "  blksnap version"})
public final class VersionCommand implements Callable<Integer> {
  private static final String MODIFICATION = "user-space";

  private final CommandContext context;

  @Option(
      names = {"-j", "--json"},
      hidden = true,
      description = "The same as -o json, as the kernel module's tool has it.")
  boolean json;

  @Option(
      names = {"-m", "--modification"},
      hidden = true,
      description = "Print the name of the modification, as the kernel module's tool has it.")
  boolean modification;

  @Option(
      names = {"-c", "--compatibility"},
      hidden = true,
      description = "Print the flags of what is more than upstream has; there are none.")
  boolean compatibility;

  public VersionCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() {
    if (json) {
      context.useJson();
    }
    if (modification || compatibility) {
      printUpstream();
    } else {
      context.printer().print(new CtrlReply.VersionInfo(ProgramVersion.TEXT));
    }
    return ExitCodes.DONE;
  }

  private void printUpstream() {
    if (context.format() == OutputFormat.JSON) {
      var object = new JsonObject();
      if (modification) {
        object.addProperty("modification", MODIFICATION);
      } else {
        object.add("compatibility_flags", new JsonArray());
      }
      context.out().println(object);
    } else if (modification) {
      context.out().println(MODIFICATION);
    }
  }
}
