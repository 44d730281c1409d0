package blksnap.cli.command;

import blksnap.ctrl.CtrlRequest;
import java.io.IOException;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Changes the size of a device, or takes over one that was changed. */
@Command(
    name = "resize",
    description = {
      "Change the size of a device. Without SIZE, take over the size that its file or block device "
          + "has by now, after it was grown or shrunk by other means.",
      "Snapshots keep the size that they were taken with; what is cut off is preserved for them.",
      "A client sees the new size when it connects anew. Until then, what it asks for beyond a new,"
          + " nearer end is refused: writes with ENOSPC, reads with EINVAL."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap resize vm1 20G",
      "  lvextend -L +10G vg0/data && blksnap resize data --reconnect"
    })
public final class ResizeCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(index = "0", paramLabel = Labels.DEVICE, description = "Name of the device.")
  String device = "";

  @Parameters(
      index = "1",
      arity = "0..1",
      paramLabel = Labels.SIZE,
      converter = ByteSize.Converter.class,
      description = "New size of a regular file; a number with K, M, G, T or s (sectors).")
  Optional<ByteSize> size = Optional.empty();

  @Option(
      names = {"-f", "--force"},
      description = "Also when that cuts off the end, with what is there.")
  boolean force;

  @Option(
      names = "--reconnect",
      description = "End the connections of the device's clients, who see the new size then.")
  boolean reconnect;

  public ResizeCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    OptionalLong bytes =
        size.isPresent() ? OptionalLong.of(size.get().bytes()) : OptionalLong.empty();
    return context.show(new CtrlRequest.Resize(device, bytes, force, reconnect));
  }
}
