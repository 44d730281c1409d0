package blksnap.engine;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.nbd.NbdThrottle;
import blksnap.snapshot.ImageLimit;
import blksnap.snapshot.Snapshot;
import blksnap.snapshot.SnapshotTable;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.IOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.UnaryOperator;

/**
 * How fast the images of each snapshot may be read and written, so that a copy leaves something of
 * the disk to the original. A limit is a snapshot's, and each of its images has it for itself. Safe
 * from many threads.
 */
final class ImageLimits {
  /** Guards the field below. */
  private final ReentrantLock lock = new ReentrantLock();

  @GuardedBy("lock")
  private final Map<Image, NbdThrottle> throttles = new HashMap<>();

  private record Image(UUID snapshot, String device) {}

  /** What the image's clients pass; the same for all of them. */
  NbdThrottle of(Snapshot snapshot, String device) {
    lock.lock();
    try {
      return throttles.computeIfAbsent(
          new Image(snapshot.id(), device),
          image -> {
            var throttle = new NbdThrottle();
            throttle.become(limits(snapshot));
            return throttle;
          });
    } finally {
      lock.unlock();
    }
  }

  private static NbdThrottle.Limits limits(Snapshot snapshot) {
    ImageLimit limit = snapshot.config().imageLimit();
    return new NbdThrottle.Limits(limit.requestsPerSecond(), limit.bytesPerSecond());
  }

  /** Requests a second; 0 for any number. */
  void setRequests(SnapshotTable table, Snapshot snapshot, String value) throws IOException {
    long requests = parse(value, 0);
    set(table, snapshot, limit -> new ImageLimit(requests, limit.bytesPerSecond()));
  }

  /** Bytes a second; 0 for any number. */
  void setBytes(SnapshotTable table, Snapshot snapshot, String value) throws IOException {
    long bytes = parse(value, ImageLimit.MIN_BYTES_PER_SECOND);
    set(table, snapshot, limit -> new ImageLimit(limit.requestsPerSecond(), bytes));
  }

  private static long parse(String value, long least) throws BlkSnapException {
    try {
      long number = Long.parseLong(value.strip());
      if (number == 0 || (number > 0 && number >= least)) {
        return number;
      }
    } catch (NumberFormatException _) {
      // told below
    }
    throw new BlkSnapException(
        Errno.EINVAL,
        "a limit is 0, for none, or a number from " + Math.max(1, least) + ", not " + value);
  }

  private void set(SnapshotTable table, Snapshot snapshot, UnaryOperator<ImageLimit> change)
      throws IOException {
    table.limitImages(snapshot, change);
    lock.lock();
    try {
      throttles.forEach((image, throttle) -> {
        if (image.snapshot.equals(snapshot.id())) {
          throttle.become(limits(snapshot));
        }
      });
    } finally {
      lock.unlock();
    }
  }

  /** Forgets those that are destroyed. */
  void keep(Iterable<Snapshot> all) {
    Set<UUID> known = new HashSet<>();
    all.forEach(snapshot -> known.add(snapshot.id()));
    lock.lock();
    try {
      throttles.keySet().removeIf(image -> !known.contains(image.snapshot));
    } finally {
      lock.unlock();
    }
  }
}
