package blksnap.cli.command;

import blksnap.cli.live.Waiting;
import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Gives a device back; its change map is forgotten. */
@Command(
    name = "detach",
    description = {
      "Detach a device: stop serving and tracking it, and forget its change map.",
      "Refused with EBUSY while a client uses it or a snapshot holds it."
    },
    footer = {"", "Examples:", "  blksnap detach vm1"})
public final class DetachCommand implements Callable<Integer> {
  private final CommandContext context;

  @Spec CommandSpec spec = CommandSpec.create();

  @Parameters(
      arity = "0..1",
      hideParamSyntax = true, // it must be there, unless an upstream script names it by the option
      paramLabel = Labels.DEVICE,
      description = "Name of the device.")
  Optional<String> device = Optional.empty();

  @Option(
      names = {"-d", "--device"},
      hidden = true,
      paramLabel = Labels.DEVICE,
      description = "Name or path of the device, as the kernel module's tool has it.")
  Optional<String> upstreamDevice = Optional.empty();

  public DetachCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (device.isEmpty() == upstreamDevice.isEmpty()) {
      throw new ParameterException(spec.commandLine(), "Missing required parameter: 'DEVICE'");
    }
    String name =
        upstreamDevice.isPresent()
            ? new DeviceArgument(context).name(upstreamDevice.get())
            : device.orElseThrow();
    try (Waiting _ = context.waiting("detaching " + name)) {
      return context.show(new CtrlRequest.Detach(name));
    }
  }
}
