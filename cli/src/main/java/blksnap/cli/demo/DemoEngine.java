package blksnap.cli.demo;

import blksnap.ctrl.CtrlHandler;
import blksnap.ctrl.CtrlReply;
import blksnap.ctrl.CtrlRequest;
import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.nbdclient.NbdAddress;
import blksnap.nbdclient.NbdClient;
import blksnap.sector.ByteRange;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;

/** The requests that the demo makes of its engine. One thread. */
final class DemoEngine {
  /** How often a busy device is asked for, and how long apart. */
  private static final int ATTEMPTS = 100;

  private static final long ATTEMPT_MILLIS = 50;

  private final CtrlHandler handler;
  private final Path socket;

  /**
   * @param socket of its NBD server
   */
  DemoEngine(CtrlHandler handler, Path socket) {
    this.handler = handler;
    this.socket = socket;
  }

  CtrlReply.Attached attach(Path file, String name) throws IOException, InterruptedException {
    var request =
        new CtrlRequest.Attach(
            file.toString(), Optional.of(name), false, CtrlRequest.Cache.WRITEBACK);
    return ask(request, CtrlReply.Attached.class);
  }

  void detach(String device) throws IOException, InterruptedException {
    askUntilFree(new CtrlRequest.Detach(device));
  }

  void createAndTake(String name, List<String> devices, Path storage, long limitBytes)
      throws IOException, InterruptedException {
    var request =
        new CtrlRequest.SnapshotCreate(
            devices,
            storage.toString(),
            Optional.of(limitBytes),
            Optional.of(name),
            CtrlRequest.Durability.PROCESS,
            CtrlRequest.OnFull.BREAK,
            true);
    ask(request, CtrlReply.Created.class);
  }

  void destroy(String snapshot) throws IOException, InterruptedException {
    askUntilFree(new CtrlRequest.SnapshotDestroy(snapshot));
  }

  CtrlReply.SnapshotEntry snapshot(String name) throws IOException, InterruptedException {
    return ask(new CtrlRequest.SnapshotInfo(name), CtrlReply.SnapshotEntry.class);
  }

  /** What the engine says changed on a device between two snapshots. */
  List<ByteRange> changes(String device, String since, String until)
      throws IOException, InterruptedException {
    var ranges = new ArrayList<ByteRange>();
    OptionalLong from = OptionalLong.of(0);
    while (from.isPresent()) {
      var request =
          new CtrlRequest.CbtMap(device, Optional.of(since), Optional.of(until), from.getAsLong());
      var page = ask(request, CtrlReply.CbtRanges.class);
      ranges.addAll(page.ranges());
      from = page.next();
    }
    return ranges;
  }

  CtrlReply.Tree status() throws IOException, InterruptedException {
    return ask(new CtrlRequest.Status("/"), CtrlReply.Tree.class);
  }

  long number(String path) throws IOException, InterruptedException {
    return Long.parseLong(ask(new CtrlRequest.Cat(path), CtrlReply.Value.class).value());
  }

  /** How many devices and snapshots there are. */
  int held() throws IOException, InterruptedException {
    int devices = ask(new CtrlRequest.Devices(), CtrlReply.DeviceList.class).devices().size();
    int snapshots =
        ask(new CtrlRequest.SnapshotList(), CtrlReply.Snapshots.class).snapshots().size();
    return devices + snapshots;
  }

  /** The URI of an export, for a command by hand in the directory of the run. */
  String uri(String export) {
    return "nbd+unix:///" + export + "?socket=run/" + socket.getFileName();
  }

  NbdClient connect(String export) throws IOException {
    return NbdClient.connect(new NbdAddress(UnixDomainSocketAddress.of(socket), export));
  }

  /** Asks again while the server has not noticed yet that our own clients have hung up. */
  private void askUntilFree(CtrlRequest request) throws IOException, InterruptedException {
    for (int attempt = 1; ; attempt++) {
      try {
        ask(request, CtrlReply.Done.class);
        return;
      } catch (BlkSnapException e) {
        if (e.errno() != Errno.EBUSY || attempt == ATTEMPTS) {
          throw e;
        }
        TimeUnit.MILLISECONDS.sleep(ATTEMPT_MILLIS);
      }
    }
  }

  private <R extends CtrlReply> R ask(CtrlRequest request, Class<R> kind)
      throws IOException, InterruptedException {
    CtrlReply reply = handler.handle(request);
    if (!kind.isInstance(reply)) {
      throw new BlkSnapException(Errno.EPROTO, "the engine answered " + request + " with " + reply);
    }
    return kind.cast(reply);
  }
}
