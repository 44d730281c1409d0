package blksnap.cli.backup;

import blksnap.backup.BackupStore;
import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.command.Labels;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Lists the points of all devices in a place. */
@Command(
    name = "list",
    description = {
      "List the points of every device, the oldest first.",
      "VERIFIED is the day on which a point was last read and found good."
    },
    footer = {"", "Examples:", "  blksnap backups list /backup"})
public final class BackupsListCommand implements Callable<Integer> {
  private final CommandContext context;

  @Parameters(
      paramLabel = Labels.DIRECTORY,
      description = "Where the backups are: a directory or s3://BUCKET/PREFIX.")
  String place = "";

  public BackupsListCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException {
    return list(context, place);
  }

  static int list(CommandContext context, String place) throws IOException {
    try (BackupStore store = Stores.open(place, context)) {
      new BackupOutput(context).list(store);
    }
    return ExitCodes.DONE;
  }
}
