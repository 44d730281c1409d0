package blksnap.backup;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.state.Fields;
import blksnap.state.SealedJson;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;

/**
 * An object that says who changes a device's backups. A store of objects does not notice that its
 * client has died, so it is put again every minute and holds for {@link #HOLDS} since it was put,
 * by the store's clock; that of a process of this machine which is gone holds no longer.
 *
 * <p>Threads: one, {@code blksnap-lease}, that puts it again; it ends with {@link #close}.
 */
final class ObjectLease implements Closeable {
  static final Duration HOLDS = Duration.ofMinutes(5);

  private static final long RENEW_SECONDS = 60;
  private static final String RECORD = "blksnap_lock";
  private static final int MAX_BYTES = 4096;

  private final ObjectStore store;
  private final String object;
  private final UUID owner;
  private final Thread renewer;
  private final Lock lock = new ReentrantLock();
  private final Condition over = lock.newCondition();

  @GuardedBy("lock")
  private boolean closed;

  @GuardedBy("lock")
  private long renewedNanos = System.nanoTime();

  @GuardedBy("lock")
  private boolean stolen;

  private ObjectLease(ObjectStore store, String object, UUID owner) {
    this.store = store;
    this.object = object;
    this.owner = owner;
    this.renewer = Thread.ofPlatform().daemon().name("blksnap-lease").unstarted(this::renew);
  }

  /**
   * @throws BlkSnapException {@code EBUSY} while somebody else has it
   */
  static ObjectLease take(ObjectStore store, String object) throws IOException {
    var lease = new ObjectLease(store, object, UUID.randomUUID());
    for (int attempt = 0; ; attempt++) {
      Optional<ObjectStore.Found> found = store.find(object);
      if (found.isEmpty()) {
        // A store that does not know of the condition would let two of us through: the last one
        // finds itself there.
        if (store.putIfAbsent(object, lease.text()) && lease.isOwner()) {
          lease.renewer.start();
          return lease;
        }
      } else if (isHeld(store, object, found.get()) || attempt > 0) {
        throw new BlkSnapException(
            Errno.EBUSY,
            store.name()
                + "/"
                + object
                + " says that another process changes these backups, "
                + found.get().age().toSeconds()
                + " s ago");
      } else {
        store.delete(object);
      }
      if (attempt > 1) {
        throw new BlkSnapException(
            Errno.EBUSY, store.name() + "/" + object + " was taken by another process");
      }
    }
  }

  private static boolean isHeld(ObjectStore store, String object, ObjectStore.Found found)
      throws IOException {
    if (found.age().compareTo(HOLDS) > 0 || found.sizeBytes() > MAX_BYTES) {
      return false;
    }
    try {
      Fields fields = read(store, object, found);
      boolean here = fields.text("host").equals(host());
      return !here || ProcessHandle.of(fields.number("pid")).isPresent();
    } catch (BlkSnapException e) {
      if (e.errno() == Errno.EBADMSG) {
        return true; // whoever put it may be there
      }
      throw e;
    }
  }

  private static Fields read(ObjectStore store, String object, ObjectStore.Found found)
      throws IOException {
    byte[] text = new byte[(int) found.sizeBytes()];
    store.read(object, found, 0, ByteBuffer.wrap(text));
    return SealedJson.read(RECORD, text, store.name() + "/" + object);
  }

  private static String host() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (IOException _) {
      return "";
    }
  }

  private byte[] text() {
    return SealedJson.write(
        RECORD,
        new Fields()
            .put("owner", owner.toString())
            .put("host", host())
            .put("pid", ProcessHandle.current().pid()));
  }

  private boolean isOwner() throws IOException {
    Optional<ObjectStore.Found> found = store.find(object);
    return found.isPresent()
        && found.get().sizeBytes() <= MAX_BYTES
        && read(store, object, found.get()).uuid("owner").equals(owner);
  }

  private void renew() {
    while (true) {
      lock.lock();
      try {
        if (closed || over.await(RENEW_SECONDS, TimeUnit.SECONDS) || closed) {
          return;
        }
      } catch (InterruptedException _) {
        return;
      } finally {
        lock.unlock();
      }
      try {
        long start = System.nanoTime();
        boolean ours = isOwner();
        if (ours) {
          store.put(object, text());
        }
        lock.lock();
        try {
          stolen |= !ours;
          renewedNanos = start;
        } finally {
          lock.unlock();
        }
      } catch (IOException _) {
        // asked again in a minute; require() tells when that has lasted too long
      }
    }
  }

  /**
   * To be called before something is changed.
   *
   * @throws BlkSnapException {@code EBUSY} when it does not hold any more
   */
  void require() throws IOException {
    boolean ours = isOwner();
    lock.lock();
    try {
      if (!ours || stolen || System.nanoTime() - renewedNanos > HOLDS.toNanos()) {
        throw new BlkSnapException(
            Errno.EBUSY, store.name() + "/" + object + " could not be kept: it may be another's");
      }
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void close() throws IOException {
    lock.lock();
    try {
      closed = true;
      over.signalAll();
    } finally {
      lock.unlock();
    }
    boolean interrupted = false;
    while (renewer.isAlive()) {
      try {
        renewer.join();
      } catch (InterruptedException _) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    if (isOwner()) {
      store.delete(object);
    }
  }
}
