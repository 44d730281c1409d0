package blksnap.cli.command;

import blksnap.cli.output.Failure;
import blksnap.cli.output.OutputFormat;
import blksnap.cli.output.Printable;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Option;

/** What is done around a take; the same for every command that takes. */
public final class HookOptions {
  @Option(
      names = "--freeze",
      paramLabel = Labels.DIRECTORY,
      description = {
        "Mount point of a file system on the devices: it is frozen for the instant, so that its "
            + "image is clean. May be given more than once. Needs an engine of root's."
      })
  List<Path> freeze = List.of();

  @Option(
      names = "--pre",
      paramLabel = "COMMAND",
      description = "Command that the engine runs before, with its own rights, by /bin/sh -c.")
  Optional<String> pre = Optional.empty();

  @Option(
      names = "--post",
      paramLabel = "COMMAND",
      description = "Command that the engine runs after, also when the take failed.")
  Optional<String> post = Optional.empty();

  @Option(
      names = "--freeze-timeout",
      paramLabel = "SECONDS",
      defaultValue = "10",
      description = {
        "Most time for each command, and for freezing until thawed: 1 to 600. "
            + "Default: ${DEFAULT-VALUE}."
      })
  int timeoutSeconds = 10;

  @Option(
      names = "--best-effort",
      description = "Take it as well when freezing or the first command fails, and say so.")
  boolean bestEffort;

  /** Whether anything was asked for. */
  boolean asked() {
    return !freeze.isEmpty() || pre.isPresent() || post.isPresent();
  }

  /** What is asked of the engine. */
  public CtrlRequest.Hooks hooks(Environment environment) {
    if (!asked()) {
      return CtrlRequest.Hooks.NONE;
    }
    List<String> mountPoints = new ArrayList<>();
    for (Path mountPoint : freeze) {
      mountPoints.add(environment.absolute(mountPoint).toString());
    }
    return new CtrlRequest.Hooks(
        mountPoints, pre, post, TimeUnit.SECONDS.toMillis(timeoutSeconds), bestEffort);
  }

  /** Says on the side what the user should know of a take. */
  void warn(CommandContext context, CtrlReply.Taken taken) {
    if (context.format() == OutputFormat.JSON) {
      return;
    }
    var warnings = new ArrayList<>(taken.warnings());
    if (!freeze.isEmpty() && taken.consistency().word().equals("crash-consistent")) {
      warnings.addFirst("only crash-consistent: " + taken.consistency().reason());
    }
    for (String warning : warnings) {
      String line = Failure.PREFIX + "warning: " + Printable.of(warning);
      context.err().println(context.errPalette().warning(line));
    }
  }
}
