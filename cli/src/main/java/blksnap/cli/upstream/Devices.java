package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.DeviceArgument;
import blksnap.cli.output.Printable;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What the commands of this package find out about devices and the snapshots that hold them. */
final class Devices {
  /** Kinds of files, in the mode. */
  private static final int KIND_MASK = 0xf000;

  private static final int BLOCK_DEVICE = 0x6000;

  private static final int MINOR_LOW_MASK = 0xff;
  private static final int MINOR_LOW_BITS = 8;
  private static final int MAJOR_MASK = 0xfff;
  private static final int MINOR_HIGH_SHIFT = 12;

  private final CommandContext context;
  private final DeviceArgument argument;

  Devices(CommandContext context) {
    this.context = context;
    this.argument = new DeviceArgument(context);
  }

  DeviceArgument argument() {
    return argument;
  }

  List<CtrlReply.DeviceEntry> all() throws IOException, InterruptedException {
    return context.ask(new CtrlRequest.Devices(), CtrlReply.DeviceList.class).devices();
  }

  /** The device of an image, which is named as {@code device@snapshot}; else as for a device. */
  String original(String named) throws IOException, InterruptedException {
    int at = named.indexOf('@');
    return argument.name(at > 0 && !named.contains("/") ? named.substring(0, at) : named);
  }

  /**
   * What upstream calls a device: {@code major:minor} of a block device. A file has none, and goes
   * by its name.
   */
  static String id(CtrlReply.DeviceEntry device) {
    try {
      Map<String, Object> attributes =
          Files.readAttributes(Path.of(device.path()), "unix:mode,rdev");
      int type = ((Number) attributes.getOrDefault("mode", 0)).intValue() & KIND_MASK;
      long number = ((Number) attributes.getOrDefault("rdev", 0L)).longValue();
      if (type == BLOCK_DEVICE) {
        return major(number) + ":" + minor(number);
      }
    } catch (IOException e) {
      return Printable.of(device.name()); // gone: its name is all that is left
    }
    return Printable.of(device.name());
  }

  private static long major(long number) {
    return (number >>> MINOR_LOW_BITS) & MAJOR_MASK;
  }

  private static long minor(long number) {
    long high = (number >>> MINOR_HIGH_SHIFT) & ~(long) MINOR_LOW_MASK;
    return high | (number & MINOR_LOW_MASK);
  }

  /** The snapshot that was taken last of those that hold the device; empty when none was taken. */
  Optional<CtrlReply.SnapshotEntry> latestTaken(String device)
      throws IOException, InterruptedException {
    return context
        .ask(new CtrlRequest.SnapshotList(), CtrlReply.Snapshots.class)
        .snapshots()
        .stream()
        .filter(snapshot -> snapshot.takenAt().isPresent())
        .filter(snapshot -> part(snapshot, device).isPresent())
        .max(Comparator.comparing(snapshot -> snapshot.takenAt().orElse(Instant.MIN)));
  }

  /** The same, which there must be. */
  CtrlReply.SnapshotEntry requireTaken(String device) throws IOException, InterruptedException {
    return latestTaken(device)
        .orElseThrow(() ->
            new BlkSnapException(Errno.EPERM, "no snapshot of device '" + device + "' is taken"));
  }

  static Optional<CtrlReply.SnapshotDevice> part(CtrlReply.SnapshotEntry snapshot, String device) {
    return snapshot.devices().stream().filter(part -> part.device().equals(device)).findFirst();
  }

  List<CtrlReply.ImageEntry> images(String snapshot) throws IOException, InterruptedException {
    return context.ask(new CtrlRequest.SnapshotImages(snapshot), CtrlReply.Images.class).images();
  }
}
