package blksnap.engine;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.nbd.NbdThrottle;
import blksnap.nbd.NbdThrottle.Limits;
import blksnap.snapshot.Snapshot;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.locks.ReentrantLock;

/**
 * How fast the images of each snapshot may be read and written, so that a copy leaves something of
 * the disk to the original. A limit is a snapshot's, and each of its images has it for itself; it
 * is forgotten with the engine. Safe from many threads.
 */
final class ImageLimits {
  /** Guards the fields below. */
  private final ReentrantLock lock = new ReentrantLock();

  @GuardedBy("lock")
  private final Map<UUID, Limits> limits = new HashMap<>();

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
            throttle.become(limits.getOrDefault(image.snapshot, Limits.NONE));
            return throttle;
          });
    } finally {
      lock.unlock();
    }
  }

  Limits get(Snapshot snapshot) {
    lock.lock();
    try {
      return limits.getOrDefault(snapshot.id(), Limits.NONE);
    } finally {
      lock.unlock();
    }
  }

  /** Requests a second; 0 for any number. */
  void setRequests(Snapshot snapshot, String value) throws BlkSnapException {
    long requests = parse(value, 0);
    set(snapshot, new Limits(requests, get(snapshot).bytesPerSecond()));
  }

  /** Bytes a second; 0 for any number. */
  void setBytes(Snapshot snapshot, String value) throws BlkSnapException {
    long bytes = parse(value, Limits.MIN_BYTES_PER_SECOND);
    set(snapshot, new Limits(get(snapshot).requestsPerSecond(), bytes));
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

  private void set(Snapshot snapshot, Limits next) {
    lock.lock();
    try {
      limits.put(snapshot.id(), next);
      throttles.forEach((image, throttle) -> {
        if (image.snapshot.equals(snapshot.id())) {
          throttle.become(next);
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
      limits.keySet().retainAll(known);
      throttles.keySet().removeIf(image -> !known.contains(image.snapshot));
    } finally {
      lock.unlock();
    }
  }
}
