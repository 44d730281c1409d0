package blksnap.cli.repl;

import blksnap.cli.command.EngineLink;
import blksnap.cli.output.HumanSize;
import blksnap.cli.output.Printable;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.status.StatusNode;
import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * What the engine knows at this moment, for completion: asked on a thread and a connection of its
 * own, and given up after {@value #PATIENCE_MILLIS} ms. Without an engine there is nothing to
 * offer, which is no error.
 */
final class LiveValues implements Closeable {
  /** Longer than a living engine takes, shorter than a user minds. */
  static final long PATIENCE_MILLIS = 500;

  private final KeptLink kept;
  private Optional<Future<CtrlReply>> ahead = Optional.empty();
  private final ExecutorService asker =
      Executors.newSingleThreadExecutor(
          Thread.ofPlatform().daemon().name("blksnap-completion").factory());

  LiveValues(KeptLink kept) {
    this.kept = kept;
  }

  /**
   * @param description what it is, for people
   */
  record Value(String name, String description) {}

  /** What the engine does. */
  enum State {
    LIVE,
    GOING,
    ABSENT
  }

  /** Begins to ask for the state, so that its next reader waits less. */
  void askAhead() {
    ahead = Optional.of(submit(new CtrlRequest.Devices()));
  }

  State state() {
    Outcome outcome = await(ahead.orElseGet(() -> submit(new CtrlRequest.Devices())));
    ahead = Optional.empty();
    if (outcome instanceof Answer) {
      return State.LIVE;
    }
    return outcome instanceof Refusal(Errno errno) && errno == Errno.ESHUTDOWN
        ? State.GOING
        : State.ABSENT;
  }

  /** The attached devices. */
  List<Value> devices() {
    return ask(new CtrlRequest.Devices()) instanceof Answer(CtrlReply.DeviceList(var devices))
        ? devices.stream().map(LiveValues::value).toList()
        : List.of();
  }

  private static Value value(CtrlReply.DeviceEntry device) {
    String size = HumanSize.of(device.sizeBytes());
    return new Value(device.name(), Printable.of(device.path()) + ", " + size);
  }

  /** The snapshots by name, and by UUID where that is another word. */
  List<Value> snapshots() {
    var values = new ArrayList<Value>();
    if (ask(new CtrlRequest.SnapshotList()) instanceof Answer(CtrlReply.Snapshots(var snapshots))) {
      for (CtrlReply.SnapshotEntry snapshot : snapshots) {
        String id = snapshot.id().toString();
        String devices =
            String.join(
                " ", snapshot.devices().stream().map(CtrlReply.SnapshotDevice::device).toList());
        String what = snapshot.state() + " of " + devices;
        values.add(new Value(snapshot.name(), what));
        if (!snapshot.name().equals(id)) {
          values.add(new Value(id, snapshot.name() + ", " + what));
        }
      }
    }
    return values;
  }

  /** What is in a directory of the status tree; nothing when it is none. */
  List<StatusNode> entries(String path) {
    return ask(new CtrlRequest.Status(path))
            instanceof Answer(CtrlReply.Tree(StatusNode.Directory(_, var entries)))
        ? entries
        : List.of();
  }

  private sealed interface Outcome {}

  private record Answer(CtrlReply reply) implements Outcome {}

  private record Refusal(Errno errno) implements Outcome {}

  private record Nothing() implements Outcome {}

  private Outcome ask(CtrlRequest request) {
    return await(submit(request));
  }

  private Future<CtrlReply> submit(CtrlRequest request) {
    return asker.submit(() -> answer(request));
  }

  private static Outcome await(Future<CtrlReply> asked) {
    try {
      return new Answer(asked.get(PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
    } catch (ExecutionException e) {
      return e.getCause() instanceof BlkSnapException refusal
          ? new Refusal(refusal.errno())
          : new Nothing();
    } catch (TimeoutException e) {
      asked.cancel(true);
      return new Nothing();
    } catch (InterruptedException e) {
      asked.cancel(true);
      Thread.currentThread().interrupt();
      return new Nothing();
    }
  }

  private CtrlReply answer(CtrlRequest request) throws IOException, InterruptedException {
    try (EngineLink link = kept.second()) {
      return link.engine().handle(request);
    }
  }

  @Override
  public void close() {
    asker.shutdownNow();
  }
}
