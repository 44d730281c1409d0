package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.cli.command.ExitCodes;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.eventqueue.EventQueue;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Waits for one event of a snapshot; that none came is a result and no failure. */
@Command(
    name = "snapshot_waitevent",
    hidden = true,
    description = "Wait for one event of a snapshot and print it.",
    footer = {"", "Examples:", "  blksnap snapshot_waitevent --id=\"$id\" --timeout=10000"})
public final class WaitEventCommand implements Callable<Integer> {
  private final CommandContext context;

  @Mixin SnapshotOption snapshot = new SnapshotOption();

  @Option(
      names = {"-t", "--timeout"},
      required = true,
      paramLabel = "MS",
      description = "Longest wait in milliseconds.")
  long timeoutMillis;

  @Mixin JsonOption json = new JsonOption();

  public WaitEventCommand(CommandContext context) {
    this.context = context;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    boolean whole = json.wanted(context);
    var object = new JsonObject();
    try {
      EventQueue.Stamped event = await();
      object.addProperty("result", "ok");
      object.addProperty("time", event.timeNanos());
      EventText.add(object, event.event(), whole);
    } catch (BlkSnapException refusal) {
      object.addProperty("result", result(refusal));
    }
    if (whole) {
      context.out().println(object);
    } else {
      KeyLines.print(context.out(), object);
    }
    return ExitCodes.DONE;
  }

  /** The next event that upstream has as well; others count as time that passes. */
  private EventQueue.Stamped await() throws IOException, InterruptedException {
    long start = System.nanoTime();
    long left = timeoutMillis;
    while (true) {
      var request = new CtrlRequest.SnapshotWait(snapshot.id(), left);
      EventQueue.Stamped event = context.ask(request, CtrlReply.SnapshotEvent.class).event();
      if (EventText.knows(event.event())) {
        return event;
      }
      long passed = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
      left = Math.max(0, timeoutMillis - passed);
    }
  }

  private static String result(BlkSnapException refusal) throws BlkSnapException {
    return switch (refusal.errno()) {
      case ETIMEDOUT -> "timeout";
      case ESRCH -> "not found";
      case EINTR, ECANCELED -> "interrupted";
      default -> throw refusal;
    };
  }
}
