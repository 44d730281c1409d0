package blksnap.cli.upstream;

import blksnap.cli.command.CommandContext;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.eventqueue.Event;
import java.io.IOException;
import java.util.Optional;

/** The events of one snapshot, one after the other, until it is gone. One thread. */
final class EventLoop {
  /** One request waits this long; the next one follows at once. */
  private static final long SLICE_MILLIS = 1_000;

  private final CommandContext context;
  private final CtrlRequest.SnapshotWait request;

  /**
   * @throws BlkSnapException {@code ESRCH} when there is no such snapshot
   */
  EventLoop(CommandContext context, String snapshot) throws IOException, InterruptedException {
    this.context = context;
    // By its UUID from here on: another snapshot may get the name.
    var found = context.ask(new CtrlRequest.SnapshotInfo(snapshot), CtrlReply.SnapshotEntry.class);
    this.request = new CtrlRequest.SnapshotWait(found.id().toString(), SLICE_MILLIS);
  }

  /**
   * Waits for the next one that upstream has as well; empty when the snapshot is gone, or whoever
   * read our output.
   */
  Optional<Event> next() throws IOException, InterruptedException {
    while (!context.outputIsGone()) {
      try {
        Event event = context.ask(request, CtrlReply.SnapshotEvent.class).event().event();
        if (EventText.knows(event)) {
          return Optional.of(event);
        }
      } catch (BlkSnapException refusal) {
        if (refusal.errno() == Errno.ESRCH) {
          return Optional.empty();
        }
        if (refusal.errno() != Errno.ETIMEDOUT) {
          throw refusal;
        }
      }
    }
    return Optional.empty();
  }
}
