package blksnap.cli.command;

import blksnap.cli.live.Waiting;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** A device as the options of the kernel module's tools name it: by its name, or by a path. */
public final class DeviceArgument {
  private final CommandContext context;

  public DeviceArgument(CommandContext context) {
    this.context = context;
  }

  /** The attached device of this whole name or path; empty when there is none. */
  public Optional<CtrlReply.DeviceEntry> find(String argument)
      throws IOException, InterruptedException {
    List<CtrlReply.DeviceEntry> devices =
        context.ask(new CtrlRequest.Devices(), CtrlReply.DeviceList.class).devices();
    for (CtrlReply.DeviceEntry device : devices) {
      if (device.name().equals(argument)) {
        return Optional.of(device);
      }
    }
    Path path = context.environment().absolute(Path.of(argument));
    for (CtrlReply.DeviceEntry device : devices) {
      if (isSame(path, Path.of(device.path()))) {
        return Optional.of(device);
      }
    }
    return Optional.empty();
  }

  /**
   * The attached device that is meant, also by the start of its name.
   *
   * @throws BlkSnapException {@code ENODEV} when none is, with the nearest one; {@code EINVAL} when
   *     several names begin so
   */
  public CtrlReply.DeviceEntry require(String argument) throws IOException, InterruptedException {
    Optional<CtrlReply.DeviceEntry> known = find(argument);
    if (known.isPresent()) {
      return known.get();
    }
    // The engine knows what begins so, and what is like it.
    var state = context.ask(new CtrlRequest.CbtInfo(argument), CtrlReply.CbtState.class);
    return find(state.device())
        .orElseThrow(
            () -> new BlkSnapException(Errno.ENODEV, "there is no device '" + argument + "'"));
  }

  /** Its name; the argument itself when none is meant, for the engine to complete or refuse. */
  public String name(String argument) throws IOException, InterruptedException {
    return find(argument).map(CtrlReply.DeviceEntry::name).orElse(argument);
  }

  /** Its name; what is not attached yet is attached first, when the argument is a path of it. */
  public String nameOfAttached(String argument) throws IOException, InterruptedException {
    Optional<CtrlReply.DeviceEntry> known = find(argument);
    Path path = context.environment().absolute(Path.of(argument));
    if (known.isPresent() || !Files.exists(path)) {
      return known.map(CtrlReply.DeviceEntry::name).orElse(argument);
    }
    return attach(path).device().name();
  }

  /** Attaches it with a name of its own, for reading and writing. */
  public CtrlReply.Attached attach(Path path) throws IOException, InterruptedException {
    var request =
        new CtrlRequest.Attach(
            context.environment().absolute(path).toString(),
            Optional.empty(),
            false,
            CtrlRequest.Cache.WRITEBACK);
    try (Waiting _ = context.waiting("attaching " + path)) {
      return context.ask(request, CtrlReply.Attached.class);
    }
  }

  private static boolean isSame(Path one, Path other) {
    try {
      return one.normalize().equals(other) || Files.isSameFile(one, other);
    } catch (IOException e) {
      return false; // one of them is not there, or not for us to see
    }
  }
}
