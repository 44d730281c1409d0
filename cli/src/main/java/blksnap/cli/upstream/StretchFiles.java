package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.linux.NativeFile;
import blksnap.sector.SectorRange;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** The storage files that one {@code stretch_snapshot} makes, in order. One thread. */
final class StretchFiles {
  /** Files that are tried for a name that is free. */
  private static final int MAX_FILES = 10_000;

  private static final int REMOVE_TRIES = 50;
  private static final long REMOVE_PAUSE_MILLIS = 100;

  private final CommandContext context;
  private final String snapshot;
  private final String start;
  private final long limitBytes;
  private final List<Path> files = new ArrayList<>();
  private int next;
  private long allocatedBytes;

  StretchFiles(CommandContext context, String snapshot, String start, long limitBytes) {
    this.context = context;
    this.snapshot = snapshot;
    this.start = start;
    this.limitBytes = limitBytes;
  }

  /**
   * Makes a file of so many sectors and gives it to the snapshot.
   *
   * @return why not, when that would be more than the limit
   */
  Optional<String> append(long sectors) throws IOException, InterruptedException {
    long bytes = Math.multiplyExact(sectors, SectorRange.SECTOR_BYTES);
    if (bytes > limitBytes - allocatedBytes) {
      return Optional.of(
          bytes
              + " bytes more are asked for, but "
              + allocatedBytes
              + " of at most "
              + limitBytes
              + " are given");
    }
    Path file = make(bytes);
    files.add(file);
    allocatedBytes += bytes;
    var request =
        new CtrlRequest.SnapshotAppendStorage(
            snapshot, file.toString(), List.of(new SectorRange(0, sectors)));
    context.ask(request, CtrlReply.Done.class);
    return Optional.empty();
  }

  private Path make(long bytes) throws IOException {
    while (next < MAX_FILES) {
      Path file = context.environment().absolute(Path.of(start + "diff_storage#" + next++));
      if (!Files.exists(file)) {
        allocate(file, bytes);
        return file;
      }
    }
    throw new BlkSnapException(
        Errno.EEXIST, "all names from " + start + "diff_storage#0 on are taken");
  }

  private static void allocate(Path path, long bytes) throws IOException {
    boolean allocated = false;
    var flags = Set.of(NativeFile.Flag.READ_WRITE, NativeFile.Flag.CREATE_NEW);
    try (NativeFile file = NativeFile.open(path, flags)) {
      file.allocate(0, bytes);
      allocated = true;
    } finally {
      if (!allocated) {
        Files.deleteIfExists(path);
      }
    }
  }

  /**
   * Removes the files that the engine has let go of, which it may just be doing; it holds a lock on
   * those that it needs.
   */
  void removeUnused() throws IOException, InterruptedException {
    for (int tries = 0; tries < REMOVE_TRIES && !files.isEmpty(); tries++) {
      if (tries > 0) {
        Thread.sleep(REMOVE_PAUSE_MILLIS);
      }
      List<Path> used = new ArrayList<>();
      for (Path path : files) {
        try (NativeFile file = NativeFile.open(path, Set.of(NativeFile.Flag.READ_WRITE))) {
          if (file.tryLockExclusive()) {
            Files.delete(path);
          } else {
            used.add(path);
          }
        }
      }
      files.clear();
      files.addAll(used);
    }
  }
}
