package blksnap.cli.command;

import blksnap.cli.live.Waiting;
import blksnap.cli.output.OutputFormat;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

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

  @Spec CommandSpec spec = CommandSpec.create();

  @Parameters(
      arity = "0..1",
      hideParamSyntax = true, // it must be there, unless an upstream script names it by the option
      paramLabel = Labels.PATH,
      description = "Regular file or block device.")
  Optional<Path> path = Optional.empty();

  @Option(
      names = {"-d", "--device"},
      hidden = true,
      paramLabel = Labels.PATH,
      description = "The same, as the kernel module's tool has it; says so in its words.")
  Optional<Path> upstreamDevice = Optional.empty();

  @Option(
      names = "--name",
      paramLabel = Labels.VALUE,
      description = "Name of the device; made from the file's name if not given.")
  Optional<String> name = Optional.empty();

  @Option(names = "--read-only", description = "Refuse writes through the export.")
  boolean readOnly;

  @Option(
      names = "--cache",
      paramLabel = "MODE",
      defaultValue = "writeback",
      converter = EnumWord.ToCache.class,
      completionCandidates = EnumWord.Caches.class,
      description = "How the disk is opened: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.")
  CtrlRequest.Cache cache = CtrlRequest.Cache.WRITEBACK;

  public AttachCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (path.isEmpty() == upstreamDevice.isEmpty()) {
      throw new ParameterException(spec.commandLine(), "Missing required parameter: 'PATH'");
    }
    if (upstreamDevice.isPresent()) {
      Optional<CtrlReply.DeviceEntry> known = attached(upstreamDevice.get());
      if (known.isPresent()) {
        tellUpstream("Already was attached", new CtrlReply.Attached(known.get(), List.of()));
        return ExitCodes.DONE;
      }
    }
    Path wanted = path.or(() -> upstreamDevice).orElseThrow();
    String absolute = context.environment().absolute(wanted).toString();
    var request = new CtrlRequest.Attach(absolute, name, readOnly, cache);
    CtrlReply.Attached reply;
    try (Waiting _ = context.waiting("attaching " + wanted)) {
      reply = context.ask(request, CtrlReply.Attached.class);
    }
    if (upstreamDevice.isPresent()) {
      tellUpstream("Attached successfully", reply);
    } else {
      context.printer().print(reply);
    }
    if (context.format() != OutputFormat.JSON) {
      reply.warnings().forEach(context::warn);
    }
    return ExitCodes.DONE;
  }

  private Optional<CtrlReply.DeviceEntry> attached(Path device)
      throws IOException, InterruptedException {
    return new DeviceArgument(context).find(device.toString());
  }

  /** In the words of the kernel module's tool; JSON is ours. */
  private void tellUpstream(String words, CtrlReply.Attached reply) {
    if (context.format() == OutputFormat.JSON) {
      context.printer().print(reply);
    } else {
      context.out().println(words);
    }
  }
}
