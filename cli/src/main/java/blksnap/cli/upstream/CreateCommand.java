package blksnap.cli.upstream;

import blksnap.cli.command.ByteSize;
import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.command.Labels;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Creates a snapshot, with a file for its storage or with none yet. */
@Command(
    name = "snapshot_create",
    hidden = true,
    description = {
      "Create a snapshot and print its UUID. Devices that are not attached are attached first.",
      "Without --file it has no storage: snapshot_appendstorage or stretch_snapshot gives it some."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap snapshot_create --device=vm1 --device=vm2",
      "  blksnap snapshot_create --device=vm1 --file=/var/tmp --limit=10G"
    })
public final class CreateCommand implements Callable<Integer> {
  private final CommandContext context;

  @Option(
      names = {"-d", "--device"},
      required = true,
      arity = "1..*",
      paramLabel = Labels.DEVICE,
      description = "Name or path of a device; may be given more than once.")
  List<String> devices = List.of();

  @Option(
      names = {"-f", "--file"},
      paramLabel = Labels.PATH,
      description = "Storage: a file, a directory in which one is made, or a block device.")
  Optional<Path> file = Optional.empty();

  @Option(
      names = {"-l", "--limit"},
      paramLabel = Labels.SIZE,
      converter = ByteSize.Converter.class,
      description = "Most bytes of the storage that are used.")
  Optional<ByteSize> limit = Optional.empty();

  public CreateCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    var found = new Devices(context);
    List<String> names = new ArrayList<>();
    for (String device : devices) {
      names.add(found.argument().nameOfAttached(device));
    }
    var request =
        new CtrlRequest.SnapshotCreate(
            names,
            file.map(path -> context.environment().absolute(path).toString()).orElse(""),
            limit.map(ByteSize::bytes),
            Optional.empty(),
            CtrlRequest.Durability.PROCESS,
            CtrlRequest.OnFull.BREAK,
            false);
    context.printer().print(context.ask(request, CtrlReply.Created.class));
    return ExitCodes.DONE;
  }
}
