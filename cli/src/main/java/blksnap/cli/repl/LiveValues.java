package blksnap.cli.repl;

import blksnap.cli.command.EngineLink;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.status.StatusNode;
import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
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
  private final ExecutorService asker =
      Executors.newSingleThreadExecutor(
          Thread.ofPlatform().daemon().name("blksnap-completion").factory());

  LiveValues(KeptLink kept) {
    this.kept = kept;
  }

  /** Names of the attached devices. */
  List<String> devices() {
    return ask(new CtrlRequest.Devices()) instanceof Answer(CtrlReply.DeviceList(var devices))
        ? devices.stream().map(CtrlReply.DeviceEntry::name).toList()
        : List.of();
  }

  /** Names and UUIDs of the snapshots. */
  List<String> snapshots() {
    var names = new ArrayList<String>();
    if (ask(new CtrlRequest.SnapshotList()) instanceof Answer(CtrlReply.Snapshots(var snapshots))) {
      for (CtrlReply.SnapshotEntry snapshot : snapshots) {
        names.add(snapshot.name());
        names.add(snapshot.id().toString());
      }
    }
    return names.stream().distinct().toList();
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

  private record Nothing() implements Outcome {}

  private Outcome ask(CtrlRequest request) {
    Future<CtrlReply> asked = asker.submit(() -> answer(request));
    try {
      return new Answer(asked.get(PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
    } catch (TimeoutException | ExecutionException e) {
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
