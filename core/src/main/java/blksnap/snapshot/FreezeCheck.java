package blksnap.snapshot;

import blksnap.diffstorage.DiffStorage;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.FileStatus;
import blksnap.linux.NativeFile;
import blksnap.tracker.TrackerTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Judges what a user wants frozen. A path that is no mount point would freeze the file system
 * around it. One that the engine itself writes to would hold the engine up until the time is over:
 * who thaws would wait for who is frozen.
 */
final class FreezeCheck {
  private static final Path MOUNTS = Path.of("/proc/self/mountinfo");
  private static final int MOUNT_POINT_FIELD = 4;

  /** The virtual machine keeps a mapped file there, unless it was told not to. */
  private static final Path COUNTERS =
      Path.of("/tmp/hsperfdata_" + System.getProperty("user.name"));

  private final SnapshotContext context;
  private final TakeSurroundings surroundings;

  FreezeCheck(SnapshotContext context, TakeSurroundings surroundings) {
    this.context = context;
    this.surroundings = surroundings;
  }

  /**
   * @throws BlkSnapException {@code EINVAL} for what is no mount point, is named twice, or holds
   *     what the engine writes to
   */
  void check(List<Path> mountPoints) throws IOException {
    Set<Path> mounted = mountPoints();
    Set<Long> seen = new HashSet<>();
    for (Path mountPoint : mountPoints) {
      FileStatus status = status(mountPoint);
      if (!status.isDirectory() || !mounted.contains(mountPoint.toRealPath())) {
        throw new BlkSnapException(
                Errno.EINVAL, "cannot freeze " + mountPoint + ": it is not a mount point")
            .withHint("findmnt --target " + mountPoint + " tells which one it is in");
      }
      if (!seen.add(status.device())) {
        throw new BlkSnapException(
            Errno.EINVAL, "cannot freeze " + mountPoint + ": its file system is named twice");
      }
      Optional<String> own = ownOn(status.device());
      if (own.isPresent()) {
        throw new BlkSnapException(
                Errno.EINVAL,
                "cannot freeze "
                    + mountPoint
                    + ": it holds "
                    + own.get()
                    + ", which the engine"
                    + " writes to")
            .withHint("keep it on another file system");
      }
    }
  }

  private static FileStatus status(Path path) throws IOException {
    try (NativeFile file = NativeFile.open(path, Set.of(NativeFile.Flag.IDENTIFY))) {
      return file.stat();
    }
  }

  private static Set<Path> mountPoints() throws IOException {
    Set<Path> points = new HashSet<>();
    for (String line : Files.readAllLines(MOUNTS)) {
      String[] fields = line.split(" ", MOUNT_POINT_FIELD + 2);
      if (fields.length > MOUNT_POINT_FIELD) {
        points.add(Path.of(unescaped(fields[MOUNT_POINT_FIELD])));
      }
    }
    return points;
  }

  /** The kernel writes blanks and backslashes of a path as three octal digits. */
  static String unescaped(String field) {
    return field
        .replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\");
  }

  /** What of ours lies on the file system with this number. */
  private Optional<String> ownOn(long device) throws IOException {
    if (isOn(device, context.directory())) {
      return Optional.of("the state directory " + context.directory());
    }
    for (TrackerTable.Attached attached : context.trackers().all()) {
      FileStatus original = attached.original().status();
      if (original.isRegularFile() && original.device() == device) {
        return Optional.of("device " + attached.name() + " (" + attached.path() + ")");
      }
    }
    for (DiffStorage storage : context.storages().all()) {
      Optional<String> path = storage.fileOn(device);
      if (path.isPresent()) {
        return Optional.of("diff storage " + path.get());
      }
    }
    for (Path path : surroundings.ownPaths()) {
      if (isOn(device, path)) {
        return Optional.of(path.toString());
      }
    }
    for (int output = 1; output <= 2; output++) {
      Path log = Path.of("/proc/self/fd/" + output);
      if (Files.isRegularFile(log) && isOn(device, log.toRealPath())) {
        return Optional.of("the log " + log.toRealPath());
      }
    }
    Path counters = COUNTERS.resolve(Long.toString(ProcessHandle.current().pid()));
    return isOn(device, counters)
        ? Optional.of(counters + " of the Java virtual machine")
        : Optional.empty();
  }

  private static boolean isOn(long device, Path path) throws IOException {
    return Files.exists(path) && status(path).device() == device;
  }
}
