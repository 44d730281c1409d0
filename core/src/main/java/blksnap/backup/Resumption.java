package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Goes on with the upload of a point that a killed or refused backup had completed on this machine,
 * if it is still what comes next in the chain; else gives it up. The device is locked. One thread.
 */
final class Resumption {
  private final BackupStore store;
  private final String device;
  private final String path;
  private final BackupOptions.Load load;

  /**
   * @param path of the disk
   */
  Resumption(BackupStore store, String device, String path, BackupOptions.Load load) {
    this.store = store;
    this.device = device;
    this.path = path;
    this.load = load;
  }

  /**
   * Makes it a point, or leaves nothing of it; what the store refuses is thrown, and leaves it to
   * the next time.
   *
   * @return what was done, in sentences
   */
  List<String> run() throws IOException {
    List<String> notes = new ArrayList<>();
    for (BackupStore.Unsent unsent : store.unsent(device)) {
      Optional<Manifest> point = unsent.point();
      if (point.isEmpty()) {
        unsent.forget();
        notes.add("a point of " + device + " is not gone on with: the record of it is damaged");
        continue;
      }
      DevicePoints points = DevicePoints.load(store, device);
      if (points.all().stream().noneMatch(one -> one.id().equals(point.get().id()))) {
        notes.add(settle(unsent, point.get(), points));
      }
      unsent.forget();
    }
    return notes;
  }

  private String settle(BackupStore.Unsent unsent, Manifest point, DevicePoints points)
      throws IOException {
    Optional<String> reason = misfit(point, unsent, points);
    if (reason.isPresent()) {
      return givenUp(point, reason.get());
    }
    long bytes = point.file().bytes() + point.file().hashesBytes();
    var transfer = new Transfer("uploading " + device, bytes, load);
    try {
      send(unsent, device, transfer);
    } catch (BlkSnapException e) {
      if (e.errno() == Errno.EBADMSG) {
        return givenUp(point, e.sentence());
      }
      throw e;
    }
    store.write(device, point.name() + PointNames.MANIFEST, point.encode());
    return "the upload of point "
        + point.name()
        + " of "
        + device
        + ", which was cut off, was finished: "
        + transfer.foundBytes()
        + " of "
        + bytes
        + " bytes were there";
  }

  private String givenUp(Manifest point, String reason) {
    return "point " + point.name() + " of " + device + " is not gone on with: " + reason;
  }

  /** Why it cannot be the next point; empty when it can. */
  private Optional<String> misfit(Manifest point, BackupStore.Unsent unsent, DevicePoints points) {
    if (!point.path().equals(path)) {
      return Optional.of("it is of " + point.path() + ", not of " + path);
    }
    Optional<Manifest> latest = points.latest();
    long next = latest.map(Manifest::sequence).orElse(0L) + 1;
    if (point.sequence() < next || points.names().contains(point.name())) {
      return Optional.of("there is a newer one");
    }
    boolean leans = unsent.below().isPresent();
    boolean same = latest.map(Manifest::id).equals(unsent.below());
    if (point.sequence() > next || (leans && !same)) {
      return Optional.of("the point before it is gone");
    }
    if (leans && !points.damaged().isEmpty()) {
      return Optional.of("the chain is damaged");
    }
    return Optional.empty();
  }

  /** Publishes a point that is kept if that fails. */
  static void send(BackupStore.Unsent unsent, String device, Transfer transfer) throws IOException {
    try {
      unsent.publish(transfer);
    } catch (BlkSnapException e) {
      throw e.withHint(
          "what was copied is kept: the next backup of " + device + " goes on with its upload");
    }
  }
}
