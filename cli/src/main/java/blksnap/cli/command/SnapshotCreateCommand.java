package blksnap.cli.command;

import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Makes a snapshot of devices, and takes it when asked to. */
@Command(
    name = "create",
    description = {
      "Create a snapshot of one or more devices and print its UUID.",
      "Nothing is frozen until it is taken: with --take at once, else by 'snapshot take'."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap snapshot create vm1 vm2 --storage /var/tmp --limit 20G --name monday --take",
      "  blksnap snapshot create data --storage /dev/vg0/spare --durability power --on-full wait:60"
    })
public final class SnapshotCreateCommand implements Callable<Integer> {
  /** Under this a single request could take hours. */
  private static final long MIN_RATE_BYTES = 16 << 10;

  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Parameters(
      arity = "1..*",
      paramLabel = Labels.DEVICE,
      description = "Names of the devices; all are taken at one instant.")
  List<String> devices = List.of();

  @Option(
      names = "--storage",
      required = true,
      paramLabel = Labels.PATH,
      description = "Where old blocks are kept: a file, a directory or a block device.")
  Path storage = Path.of("");

  @Option(
      names = "--limit",
      paramLabel = Labels.SIZE,
      converter = ByteSize.Converter.class,
      description = "Most storage that is used; a number with K, M, G, T or s (sectors).")
  Optional<ByteSize> limit = Optional.empty();

  @Option(
      names = "--name",
      paramLabel = Labels.VALUE,
      description = "Name that stands for the UUID from then on.")
  Optional<String> name = Optional.empty();

  @Option(
      names = "--durability",
      paramLabel = "LEVEL",
      defaultValue = "process",
      converter = EnumWord.ToDurability.class,
      completionCandidates = EnumWord.Durabilities.class,
      description = {
        "What the snapshot survives: none (nothing), process (a killed engine), "
            + "power (a power loss). Default: ${DEFAULT-VALUE}."
      })
  CtrlRequest.Durability durability = CtrlRequest.Durability.PROCESS;

  @Option(
      names = "--on-full",
      paramLabel = "POLICY",
      defaultValue = "break",
      converter = OnFullConverter.class,
      completionCandidates = OnFullConverter.Candidates.class,
      description = {
        "When storage is full: break the snapshot, or let writers wait[:SECONDS]. Of several "
            + "snapshots of a device, the longest wait counts. Default: ${DEFAULT-VALUE}."
      })
  CtrlRequest.OnFull onFull = CtrlRequest.OnFull.BREAK;

  @Option(
      names = "--limit-iops",
      paramLabel = Labels.COUNT,
      description = {
        "Most requests a second that each image serves; 0 for any number, which is the default.",
        "Holds from the take on, also after a restart. Changed later by image_limit/iops of the "
            + "snapshot in the status tree."
      })
  Optional<Long> limitIops = Optional.empty();

  @Option(
      names = "--limit-rate",
      paramLabel = Labels.SIZE,
      converter = ByteSize.Converter.class,
      description = "Most bytes a second that each image moves, at least 16K; as --limit-iops.")
  Optional<ByteSize> limitRate = Optional.empty();

  @Option(names = "--take", description = "Take it at once.")
  boolean take;

  @Mixin HookOptions options = new HookOptions();

  public SnapshotCreateCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (options.asked() && !take) {
      throw new ParameterException(
          spec.commandLine(), "--freeze, --pre and --post go with --take, or with 'snapshot take'");
    }
    if (limitIops.isPresent() && limitIops.get() < 0) {
      throw new ParameterException(
          spec.commandLine(), "--limit-iops takes a number from 0, not " + limitIops.get());
    }
    if (limitRate.isPresent()
        && limitRate.get().bytes() != 0
        && limitRate.get().bytes() < MIN_RATE_BYTES) {
      throw new ParameterException(
          spec.commandLine(),
          "--limit-rate takes 0, or at least 16K, not " + limitRate.get().bytes());
    }
    var request =
        new CtrlRequest.SnapshotCreate(
            devices,
            context.environment().absolute(storage).toString(),
            limit.map(ByteSize::bytes),
            name,
            durability,
            onFull,
            take,
            options.hooks(context.environment()),
            new CtrlRequest.ImageLimit(
                limitIops.orElse(0L), limitRate.map(ByteSize::bytes).orElse(0L)));
    var created = context.ask(request, CtrlReply.Created.class);
    context.printer().print(created);
    created.taken().ifPresent(taken -> options.warn(context, taken));
    return ExitCodes.DONE;
  }
}
