package blksnap.cbt;

import blksnap.error.BlkSnapException;
import blksnap.error.Errno;
import blksnap.sector.ByteRange;
import java.io.Closeable;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The coarse write-intent record of one device. A region that may hold marks which are not durable
 * yet is open, and its bit was made durable before the first write into it. After a power loss
 * every open region counts as changed; a checkpoint closes those that rested. Its bytes: {@link
 * IntentFile}.
 *
 * <p>Why marking comes before {@link #open}: a checkpoint first turns regions closed in memory,
 * then makes the map durable, then clears their bits. A writer that still saw its region open had
 * marked before, so its mark is in the map that was made durable. A writer that saw it closed opens
 * it anew, and while it does so no checkpoint clears its bit.
 *
 * <p>Beside the regions there is a lease: the device is written only before the moment that it
 * names, which is made durable, and moved on while the device is in use. What shows a later time of
 * change after a power loss was written by somebody else.
 *
 * <p>Writers that need a sync share it: one runs at a time, and those who ask meanwhile share the
 * next.
 */
public final class WriteIntent implements Closeable {
  /** How long a lease is from the moment it is renewed. */
  static final long LEASE_MILLIS = 30_000;

  /**
   * After how many checkpoints without a write a region asks for a flush. By then the kernel writes
   * such data back by itself, so that the flush costs little.
   */
  static final int CHECKPOINTS_TO_FLUSH = 6;

  /** A write that begins must have at least so much of the lease before it. */
  static final long LEASE_MARGIN_MILLIS = 10_000;

  private static final byte CLOSED = 0;
  private static final byte OPEN = 1;

  /** Its bit is set, and somebody waits until that is durable. */
  private static final byte OPENING = 2;

  private static final VarHandle BYTES = MethodHandles.arrayElementVarHandle(byte[].class);

  private final IntentFile file;
  private final InstantSource clock;

  /** CLOSED, OPENING or OPEN. Read without the lock by writers; written under it. */
  private final byte[] states;

  /** What a checkpoint has to leave open although its marks are durable. */
  private final UnflushedRegions unflushed;

  /** Regions written since the last checkpoint; set by writers, taken by the checkpoint. */
  private final byte[] touched;

  /** For how many checkpoints a region that is not flushed has rested. */
  private final byte[] rests;

  /** Guards the bytes of the file, {@link #rests} and the fields below; not held while syncing. */
  private final ReentrantLock lock = new ReentrantLock();

  /** Regions whose bits the next sync is the first to see. */
  private List<Integer> opening = new ArrayList<>();

  private final Condition ended = lock.newCondition();
  private long startedCount;
  private long endedCount;

  /** The number of the latest sync after which all that was stored before it was durable. */
  private long goodCount;

  private boolean running;
  private @Nullable BlkSnapException failure;
  private int notClosed;
  private boolean flushDue;

  /**
   * Of the lease that is durable; read without the lock by writers. None at first: who was killed
   * may have stored a lease, and bits, and not have made them durable.
   */
  private volatile long leaseMillis;

  private WriteIntent(IntentFile file, InstantSource clock) {
    this.file = file;
    this.clock = clock;
    this.states = new byte[file.regions()];
    this.touched = new byte[file.regions()];
    this.rests = new byte[file.regions()];
    this.unflushed = new UnflushedRegions(file.regions());
  }

  /** Makes an empty, durable record; its entry in the directory is not synced. */
  public static WriteIntent create(
      Path path, long capacityBytes, int regionShift, InstantSource clock) throws IOException {
    return new WriteIntent(IntentFile.create(path, capacityBytes, regionShift), clock);
  }

  /**
   * Opens a record with the regions that were open when it was last used.
   *
   * @throws BlkSnapException {@code EBADMSG} when the file is none, is torn, or of another version
   */
  public static WriteIntent open(Path path, InstantSource clock) throws IOException {
    var intent = new WriteIntent(IntentFile.open(path), clock);
    for (int region = 0; region < intent.states.length; region++) {
      if (intent.file.bit(region)) {
        intent.states[region] = OPEN;
        intent.notClosed++;
        intent.unflushed.dirty(region); // for all that is known
      }
    }
    return intent;
  }

  public long capacityBytes() {
    return file.capacityBytes();
  }

  /** log2 of the bytes in a region. */
  public int regionShift() {
    return file.regionShift();
  }

  /** Until when the device may have been written, milliseconds since 1970; 0 when it never was. */
  public long leaseMillis() {
    return file.leaseMillis();
  }

  /**
   * Makes sure, after the range was marked and before it is written, that its regions are durably
   * open and the lease is.
   *
   * @throws IOException when the state directory fails; the regions then count as open in memory,
   *     and a power loss may take the marks unless a later checkpoint makes good
   */
  public void open(long offset, long length) throws IOException {
    VarHandle.fullFence(); // the mark must be visible before the region is seen open
    int first = (int) (offset >>> file.regionShift());
    int last = (int) ((offset + length - 1) >>> file.regionShift());
    boolean durable = hasLease();
    for (int region = first; region <= last; region++) {
      if ((byte) BYTES.getOpaque(touched, region) == 0) {
        BYTES.setOpaque(touched, region, (byte) 1);
      }
      unflushed.dirty(region);
      durable &= (byte) BYTES.getVolatile(states, region) == OPEN;
    }
    if (!durable) {
      openDurably(first, last);
    }
  }

  private boolean hasLease() {
    return clock.millis() + LEASE_MARGIN_MILLIS <= leaseMillis;
  }

  /**
   * After the range was written, and before that is answered: what a flush or a checkpoint have
   * made of its regions while it was under way is undone.
   *
   * @throws IOException as {@link #open}
   */
  public void written(long offset, long length) throws IOException {
    open(offset, length);
  }

  /** Before the device is flushed; the number of the flush is for {@link #flushEnds}. */
  public int flushBegins() {
    return unflushed.begin();
  }

  /**
   * @param flushed whether the device says that it is durable
   */
  public void flushEnds(int flush, boolean flushed) {
    unflushed.end(flush, flushed);
  }

  private void openDurably(int first, int last) throws IOException {
    lock.lock();
    try {
      do { // again when a checkpoint has closed one since
        for (int region = first; region <= last; region++) {
          begin(region);
        }
        awaitSync();
      } while (!allOpen(first, last));
    } finally {
      lock.unlock();
    }
  }

  private void begin(int region) {
    if (states[region] == CLOSED) {
      file.setBit(region, true);
      BYTES.setVolatile(states, region, OPENING);
      notClosed++;
      opening.add(region);
    }
  }

  private boolean allOpen(int first, int last) {
    for (int region = first; region <= last; region++) {
      if (states[region] != OPEN) {
        return false;
      }
    }
    return true;
  }

  /** With the lock held: returns when a sync that began after this call has ended well. */
  private void awaitSync() throws BlkSnapException {
    long needed = startedCount + 1;
    while (endedCount < needed) {
      if (running) {
        ended.awaitUninterruptibly();
      } else {
        runSync();
      }
    }
    BlkSnapException cause = failure;
    if (goodCount < needed) {
      throw cause != null
          ? cause
          : new BlkSnapException(Errno.EIO, "a sync ended without a result");
    }
  }

  /** With the lock held at entry and at exit, but not in between. */
  private void runSync() {
    long lease = clock.millis() + LEASE_MILLIS;
    if (goodCount < startedCount) {
      file.dirty();
    }
    file.setLeaseMillis(lease);
    List<Integer> seen = opening;
    opening = new ArrayList<>();
    startedCount++;
    running = true;
    boolean good = false;
    lock.unlock();
    try {
      file.force();
      good = true;
    } catch (BlkSnapException e) {
      failure = e; // seen by nobody before the lock is taken again
    } finally {
      lock.lock();
      for (int region : seen) {
        if (states[region] == OPENING) {
          BYTES.setVolatile(states, region, OPEN);
        }
      }
      leaseMillis = lease; // even so: not every write shall try again, the next checkpoint does
      endedCount = startedCount;
      if (good) {
        goodCount = startedCount;
      }
      running = false;
      ended.signalAll();
    }
  }

  /** Whether everything that {@link #open} promised is durable. */
  public boolean durable() {
    lock.lock();
    try {
      return goodCount == endedCount;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Closes the regions that were not written since the last checkpoint and whose data was flushed,
   * after making {@code map} durable, and renews the lease of a device in use. Two syncs at most,
   * with the flush that {@link #flushDue} asks for, and none when nothing was written or flushed
   * since the last one.
   *
   * @return whether regions are still open, so that another checkpoint is due
   */
  public boolean checkpoint(CbtMap map) throws IOException {
    List<Integer> rested = new ArrayList<>();
    lock.lock();
    try {
      flushDue = false;
      if (notClosed == 0 && goodCount == endedCount) {
        return false;
      }
      boolean used = goodCount < endedCount;
      for (int region = 0; region < states.length; region++) {
        if (states[region] == OPEN) {
          if ((byte) BYTES.getAndSet(touched, region, (byte) 0) != 0) {
            used = true;
            rests[region] = 0;
          } else if (unflushed.isClean(region)) {
            rests[region] = 0;
            rested.add(region);
            BYTES.setVolatile(states, region, CLOSED);
            notClosed--;
          } else if (rests[region] + 1 < CHECKPOINTS_TO_FLUSH) {
            rests[region]++;
          } else {
            flushDue = true;
          }
        }
      }
      flushDue &= rested.isEmpty(); // a checkpoint makes two syncs at the most
      if (rested.isEmpty()) {
        if (used) {
          awaitSync();
        }
        return true;
      }
    } finally {
      lock.unlock();
    }
    close(rested, map);
    lock.lock();
    try {
      return notClosed > 0;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Whether the last checkpoint found regions that nobody writes to and nobody flushes: a flush of
   * the device would let the next one close them.
   */
  public boolean flushDue() {
    lock.lock();
    try {
      return flushDue;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Makes the map durable and closes every region; for when nobody writes any more.
   *
   * @throws IOException when the state directory fails; regions then stay open
   */
  public void closeRegions(CbtMap map) throws IOException {
    List<Integer> all = new ArrayList<>();
    lock.lock();
    try {
      for (int region = 0; region < states.length; region++) {
        if (states[region] != CLOSED) {
          all.add(region);
          BYTES.setVolatile(states, region, CLOSED);
          notClosed--;
        }
      }
    } finally {
      lock.unlock();
    }
    close(all, map);
  }

  /** Of regions that are closed in memory already. */
  private void close(List<Integer> regions, CbtMap map) throws IOException {
    VarHandle.fullFence();
    boolean durable = false;
    try {
      map.force();
      durable = true;
    } finally {
      if (!durable) {
        reopen(regions);
      }
    }
    lock.lock();
    try {
      for (int region : regions) {
        if (states[region] == CLOSED) { // not opened anew in the meantime
          file.setBit(region, false);
        }
      }
      awaitSync();
    } finally {
      lock.unlock();
    }
  }

  private void reopen(List<Integer> regions) {
    lock.lock();
    try {
      for (int region : regions) {
        if (states[region] == CLOSED) {
          notClosed++;
          BYTES.setVolatile(states, region, OPEN); // their bits were never cleared
        }
      }
    } finally {
      lock.unlock();
    }
  }

  /** What may have changed without a durable mark. */
  public List<ByteRange> openRanges() {
    List<ByteRange> ranges = new ArrayList<>();
    long regionBytes = 1L << file.regionShift();
    for (int region = 0; region < states.length; region++) {
      if ((byte) BYTES.getVolatile(states, region) != CLOSED) {
        long offset = region * regionBytes;
        ranges.add(new ByteRange(offset, Math.min(regionBytes, file.capacityBytes() - offset)));
      }
    }
    return ranges;
  }

  @Override
  public void close() {
    file.close();
  }
}
