package blksnap.cli.command;

import blksnap.cli.output.Failure;
import blksnap.cli.output.OutputFormat;
import blksnap.cli.output.Printable;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Takes a file or block device into the engine and says where it is served. */
@Command(
    name = "attach",
    description = {
      "Attach a disk: hold it exclusively, track its changes and serve it over NBD.",
      "Prints the URI of the export. The tracker stays across restarts until the disk is detached."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap attach /var/lib/images/vm1.img",
      "  blksnap attach /dev/vg0/data --name data --cache direct"
    })
public final class AttachCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(paramLabel = Labels.PATH, description = "Regular file or block device.")
  private Path path = Path.of("");

  @Option(
      names = "--name",
      paramLabel = Labels.VALUE,
      description = "Name of the device; made from the file's name if not given.")
  private Optional<String> name = Optional.empty();

  @Option(names = "--read-only", description = "Refuse writes through the export.")
  private boolean readOnly;

  @Option(
      names = "--cache",
      paramLabel = "MODE",
      defaultValue = "writeback",
      converter = EnumWord.ToCache.class,
      completionCandidates = EnumWord.Caches.class,
      description = "How the disk is opened: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.")
  private CtrlRequest.Cache cache = CtrlRequest.Cache.WRITEBACK;

  public AttachCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    String absolute = context.environment().absolute(path).toString();
    var request = new CtrlRequest.Attach(absolute, name, readOnly, cache);
    var reply = context.ask(request, CtrlReply.Attached.class);
    context.printer().print(reply);
    if (context.format() != OutputFormat.JSON) {
      for (String warning : reply.warnings()) {
        String line = Failure.PREFIX + "warning: " + Printable.of(warning);
        context.err().println(context.errPalette().warning(line));
      }
    }
    return ExitCodes.DONE;
  }
}
