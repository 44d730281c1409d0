package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.output.Failure;
import blksnap.eventqueue.Event;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Gives a snapshot file after file for its storage, whenever it asks, until it is gone. */
@Command(
    name = "stretch_snapshot",
    hidden = true,
    description = {
      "Serve a snapshot: whenever its storage is low, make a file and append it.",
      "Ends when the snapshot is corrupt or gone, and removes the files that nothing needs then."
    },
    footer = {
      "",
      "Examples:",
      "  blksnap stretch_snapshot --id=\"$id\" --path=/var/tmp/ --limit=1024"
    })
public final class StretchCommand implements Callable<Integer> {
  private static final int MIB_SHIFT = 20;

  private final CommandContext context;

  @Mixin SnapshotOption snapshot = new SnapshotOption();

  @Option(
      names = {"-p", "--path"},
      required = true,
      paramLabel = "START",
      description = "Start of the files' paths; a directory must end with a slash.")
  String path = "";

  @Option(
      names = {"-l", "--limit"},
      required = true,
      paramLabel = "MIB",
      description = "Most MiB of all files together.")
  long limitMebibytes;

  public StretchCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    var events = new EventLoop(context, snapshot.id());
    var files = new StretchFiles(context, snapshot.id(), path, limitMebibytes << MIB_SHIFT);
    try {
      boolean corrupted = false;
      while (!corrupted) {
        Optional<Event> event = events.next();
        if (event.isEmpty()) {
          tell("snapshot " + snapshot.id() + " no longer exists");
          break;
        }
        switch (event.get()) {
          case Event.LowFreeSpace(long sectors) -> append(files, sectors);
          case Event.NoSpace(long sectors) -> append(files, sectors);
          case Event.Corrupted(String device, var errno) -> {
            tell("device " + device + " of the snapshot is corrupt: " + errno.meaning());
            corrupted = true;
          }
          case Event.FullSoon _, Event.StorageTrouble _, Event.MapAtRisk _ ->
              throw new IllegalStateException("passed over before");
        }
      }
    } finally {
      files.removeUnused();
    }
    return ExitCodes.DONE;
  }

  private void append(StretchFiles files, long sectors) throws IOException, InterruptedException {
    files.append(sectors).ifPresent(this::tell);
  }

  private void tell(String sentence) {
    context.err().println(Failure.PREFIX + sentence);
    context.err().flush();
  }
}
