package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.cli.output.OutputFormat;
import blksnap.eventqueue.Event;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Optional;
import java.util.StringJoiner;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Prints the events of a snapshot until one is that it is corrupt, or it is gone. */
@Command(
    name = "snapshot_watcher",
    hidden = true,
    description = "Print the events of a snapshot until it is corrupt or gone.",
    footer = {"", "Examples:", "  blksnap snapshot_watcher --id=\"$id\""})
public final class WatcherCommand implements Callable<Integer> {
  private final CommandContext context;

  @Mixin SnapshotOption snapshot = new SnapshotOption();

  public WatcherCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    var events = new EventLoop(context, snapshot.id());
    PrintWriter out = context.out();
    boolean json = context.format() == OutputFormat.JSON;
    say(json ? "" : "Start snapshot watcher.");
    boolean corrupted = false;
    while (!corrupted) {
      Optional<Event> event = events.next();
      if (event.isEmpty()) {
        break;
      }
      var object = new JsonObject();
      EventText.add(object, event.get(), true);
      out.println(json ? object.toString() : line(object));
      corrupted = event.get() instanceof Event.Corrupted;
    }
    say(json ? "" : "Snapshot watcher finished");
    return ExitCodes.DONE;
  }

  private void say(String line) {
    if (!line.isEmpty()) {
      context.out().println(line);
    }
    context.out().flush();
  }

  private static String line(JsonObject object) {
    var line = new StringJoiner(" ");
    object
        .entrySet()
        .forEach(member -> line.add(member.getKey() + "=" + member.getValue().getAsString()));
    return line.toString();
  }
}
